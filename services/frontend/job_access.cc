#include "services/frontend/job_access.h"

#include <utility>
#include <vector>

#include "services/config/str_cat.h"
#include "services/frontend/access_errors.h"

namespace fermata::frontend {
namespace {

// gRPC clients refuse messages above 4 MiB unless they were told otherwise.
constexpr size_t kMaxPageBytes = size_t{3} << 20;
// Pages of nothing but jobs of others that one call passes over.
constexpr int kMaxRounds = 8;

std::string_view queue_of(const SubmitRequest& request) {
  return request.queue.empty() ? std::string_view("default") : request.queue;
}

size_t bytes_in_answer(const JobRecord& record, v1::JobView view) {
  size_t bytes = 512 + 64 * record.stages.size();
  if (record.result != nullptr) bytes += record.result->size();
  if (view == v1::JOB_VIEW_FULL) bytes += record.spec->input.size();
  return bytes;
}

// A page without what the caller may not read, and where each job was in the whole page.
struct Visible {
  JobPage page;
  std::vector<size_t> places;
};

Visible visible(JobPage page, const Principal* only) {
  Visible out;
  out.page.next_page_token = std::move(page.next_page_token);
  for (size_t i = 0; i < page.jobs.size(); ++i) {
    const bool mine = only == nullptr || only->may(Permission::kRead, page.jobs[i]->spec->queue);
    if (!mine) continue;
    out.page.jobs.push_back(std::move(page.jobs[i]));
    out.places.push_back(i);
  }
  return out;
}

// How many of the jobs fit into one answer; at least one, however large it is.
size_t fitting(const JobPage& page, v1::JobView view) {
  if (view == v1::JOB_VIEW_BASIC) return page.jobs.size();
  size_t bytes = 0;
  for (size_t i = 0; i < page.jobs.size(); ++i) {
    bytes += bytes_in_answer(*page.jobs[i], view);
    if (bytes > kMaxPageBytes) return i == 0 ? 1 : i;
  }
  return page.jobs.size();
}

}  // namespace

Co<absl::Status> check_job(RpcHub& hub, CallContext& call, const std::string& id,
                           Permission permission) {
  const absl::StatusOr<JobView> job = co_await hub.backend.engine.get(id);
  if (!job.ok()) co_return job.status();
  const Principal& caller = *call.caller;
  const std::string& queue = (*job)->spec->queue;
  if (caller.may(permission, queue)) co_return absl::OkStatus();
  if (!caller.may(Permission::kRead, queue)) co_return job_not_found(id);
  co_return permission_missing(caller, permission, queue);
}

absl::Status check_submit(CallContext& call, SubmitRequest& request) {
  if (!call.peer.empty()) {  // audited
    call.queue = queue_of(request);
    call.work = !request.pipeline.empty() ? request.pipeline
                : !request.stage.empty()  ? request.stage
                                          : "(inline)";
  }
  if (call.caller == nullptr) return absl::OkStatus();
  const Principal& caller = *call.caller;
  const std::string_view queue = queue_of(request);
  if (!caller.may(Permission::kSubmit, queue)) {
    return permission_missing(caller, Permission::kSubmit, queue);
  }
  if (!caller.may_submit(queue, request.pipeline)) {
    return work_not_granted(caller, queue,
                            !request.pipeline.empty() ? str_cat("pipelines/", request.pipeline)
                            : !request.stage.empty()  ? "a bare stage"
                                                      : "an inline pipeline");
  }
  request.request_scope = caller.name;
  return absl::OkStatus();
}

Co<absl::StatusOr<JobPage>> list_visible(RpcHub& hub, CallContext& call, ListQuery query,
                                         v1::JobView view) {
  const Principal* only = must_check(call, Permission::kRead) ? call.caller.get() : nullptr;
  if (only != nullptr && query.filter.queue.has_value()) {
    const std::string& queue = *query.filter.queue;
    if (!only->may(Permission::kRead, queue)) {
      co_return permission_missing(*only, Permission::kRead, queue);
    }
    only = nullptr;
  }
  Visible seen;
  for (int round = 0; round < kMaxRounds; ++round) {
    absl::StatusOr<JobPage> page = co_await hub.backend.engine.list(query);
    if (!page.ok()) co_return page.status();
    seen = visible(*std::move(page), only);
    if (!seen.page.jobs.empty() || seen.page.next_page_token.empty()) break;
    query.page_token = seen.page.next_page_token;
  }
  const size_t fit = fitting(seen.page, view);
  if (fit == seen.page.jobs.size()) co_return std::move(seen.page);
  // Only the engine can say where a shorter page ends, so it is asked for one.
  query.page_size = seen.places[fit - 1] + 1;
  absl::StatusOr<JobPage> shorter = co_await hub.backend.engine.list(query);
  if (!shorter.ok()) co_return shorter.status();
  seen = visible(*std::move(shorter), only);
  co_return std::move(seen.page);
}

}  // namespace fermata::frontend

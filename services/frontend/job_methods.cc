#include "services/frontend/job_methods.h"

#include <utility>

#include "google/protobuf/empty.pb.h"
#include "services/config/str_cat.h"
#include "services/frontend/job_access.h"
#include "services/frontend/job_filter.h"
#include "services/frontend/job_message.h"
#include "services/frontend/job_request.h"
#include "services/frontend/page_token.h"
#include "services/frontend/resource_name.h"
#include "services/frontend/wire.h"

namespace fermata::frontend {
namespace {

constexpr int32_t kPageSize = 50;
constexpr int32_t kMaxPageSize = 1000;

// The same violation, about `field` of the request.
absl::Status about(std::string_view field, const absl::Status& status) {
  return invalid_field(field, {status.message().data(), status.message().size()});
}

Answer answer_job(const absl::StatusOr<JobView>& job, v1::JobView view) {
  if (!job.ok()) return job.status();
  return encode_job(*job, view);
}

// For the audit.
void note_job(CallContext& call, std::string_view id) {
  if (!call.peer.empty()) call.resource = str_cat("jobs/", id);
}
void note_job(CallContext& call, const absl::StatusOr<JobView>& job) {
  if (job.ok()) note_job(call, (*job)->id());
}

}  // namespace

absl::StatusOr<SubmitRequest> SubmitMethod::prepare(const RpcLimits& limits, Request& request) {
  return to_submit_request(*request.mutable_job(), *request.mutable_request_id(), limits);
}

Co<Answer> SubmitMethod::answer(RpcHub& hub, CallContext& call, Request& request,
                                Prepared& prepared) {
  const absl::Status allowed = check_submit(call, prepared);
  if (!allowed.ok()) co_return allowed;
  const absl::StatusOr<JobView> job = co_await hub.backend.engine.submit(std::move(prepared));
  note_job(call, job);
  co_return answer_job(job, view_or(request.view(), v1::JOB_VIEW_BASIC));
}

absl::StatusOr<SubmitRequest> RunMethod::prepare(const RpcLimits& limits, Request& request) {
  return to_submit_request(*request.mutable_job(), *request.mutable_request_id(), limits);
}

Co<Answer> RunMethod::answer(RpcHub& hub, CallContext& call, Request& request, Prepared& prepared) {
  const absl::Status allowed = check_submit(call, prepared);
  if (!allowed.ok()) co_return allowed;
  const absl::StatusOr<JobView> job =
      co_await hub.backend.engine.submit_and_wait(std::move(prepared), request.detach());
  note_job(call, job);
  co_return answer_job(job, view_or(request.view(), v1::JOB_VIEW_RESULT));
}

absl::StatusOr<std::string> GetMethod::prepare(const RpcLimits&, Request& request) {
  return job_id_of(request.name());
}

Co<Answer> GetMethod::answer(RpcHub& hub, CallContext& call, Request& request, Prepared& id) {
  note_job(call, id);
  if (must_check(call, Permission::kRead)) {
    const absl::Status allowed = co_await check_job(hub, call, id, Permission::kRead);
    if (!allowed.ok()) co_return allowed;
  }
  const absl::StatusOr<JobView> job = co_await hub.backend.engine.get(std::move(id));
  co_return answer_job(job, view_or(request.view(), v1::JOB_VIEW_RESULT));
}

absl::StatusOr<ListQuery> ListMethod::prepare(const RpcLimits&, Request& request) {
  ListQuery query;
  const absl::StatusOr<int32_t> size = read_page_size(request.page_size(), kPageSize, kMaxPageSize);
  if (!size.ok()) return about("page_size", size.status());
  query.page_size = static_cast<size_t>(*size);
  absl::StatusOr<JobFilter> filter = parse_job_filter(request.filter());
  if (!filter.ok()) return about("filter", filter.status());
  query.filter = *std::move(filter);
  absl::StatusOr<std::string> token = read_page_token(request.page_token(), request.filter());
  if (!token.ok()) return about("page_token", token.status());
  query.page_token = *std::move(token);
  return query;
}

Co<Answer> ListMethod::answer(RpcHub& hub, CallContext& call, Request& request, Prepared& query) {
  const v1::JobView view = view_or(request.view(), v1::JOB_VIEW_BASIC);
  const absl::StatusOr<JobPage> page = co_await list_visible(hub, call, std::move(query), view);
  if (!page.ok()) co_return page.status();
  v1::ListJobsResponse answer;
  answer.mutable_jobs()->Reserve(static_cast<int>(page->jobs.size()));
  for (const JobView& job : page->jobs) fill_job(*job, view, answer.add_jobs());
  if (!page->next_page_token.empty()) {
    answer.set_next_page_token(make_page_token(page->next_page_token, request.filter()));
  }
  co_return encode(answer);
}

absl::StatusOr<WaitMethod::Prepared> WaitMethod::prepare(const RpcLimits&, Request& request) {
  absl::StatusOr<std::string> id = job_id_of(request.name());
  if (!id.ok()) return id.status();
  Prepared prepared{*std::move(id), absl::InfiniteDuration()};
  if (request.has_timeout()) {
    const absl::StatusOr<absl::Duration> timeout = read_duration(request.timeout(), "timeout");
    if (!timeout.ok()) return timeout.status();
    prepared.timeout = *timeout;
  }
  return prepared;
}

Co<Answer> WaitMethod::answer(RpcHub& hub, CallContext& call, Request& request,
                              Prepared& prepared) {
  note_job(call, prepared.id);
  if (must_check(call, Permission::kRead)) {
    const absl::Status allowed = co_await check_job(hub, call, prepared.id, Permission::kRead);
    if (!allowed.ok()) co_return allowed;
  }
  const absl::Time until = hub.loop.now() + prepared.timeout;
  const absl::StatusOr<JobView> job =
      co_await hub.backend.engine.wait(std::move(prepared.id), until);
  co_return answer_job(job, view_or(request.view(), v1::JOB_VIEW_RESULT));
}

absl::StatusOr<std::string> CancelMethod::prepare(const RpcLimits&, Request& request) {
  return job_id_of(request.name());
}

Co<Answer> CancelMethod::answer(RpcHub& hub, CallContext& call, Request&, Prepared& id) {
  note_job(call, id);
  if (must_check(call, Permission::kCancel)) {
    const absl::Status allowed = co_await check_job(hub, call, id, Permission::kCancel);
    if (!allowed.ok()) co_return allowed;
  }
  const absl::StatusOr<JobView> job =
      co_await hub.backend.engine.request_cancel(std::move(id), CancelCause::kRequested);
  co_return answer_job(job, v1::JOB_VIEW_BASIC);
}

absl::StatusOr<std::string> DeleteMethod::prepare(const RpcLimits&, Request& request) {
  return job_id_of(request.name());
}

Co<Answer> DeleteMethod::answer(RpcHub& hub, CallContext& call, Request& request, Prepared& id) {
  note_job(call, id);
  absl::Status status;
  if (must_check(call, Permission::kDelete)) {
    status = co_await check_job(hub, call, id, Permission::kDelete);
  }
  if (status.ok()) status = co_await hub.backend.engine.remove(std::move(id));
  const bool fine = status.ok() || (absl::IsNotFound(status) && request.allow_missing());
  if (!fine) co_return status;
  co_return encode(google::protobuf::Empty());
}

}  // namespace fermata::frontend

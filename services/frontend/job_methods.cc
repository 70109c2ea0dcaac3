#include "services/frontend/job_methods.h"

#include <utility>

#include "google/protobuf/empty.pb.h"
#include "services/config/str_cat.h"
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
// gRPC clients refuse messages above 4 MiB unless they were told otherwise.
constexpr size_t kMaxPageBytes = size_t{3} << 20;

// The same violation, about `field` of the request.
absl::Status about(std::string_view field, const absl::Status& status) {
  return invalid_field(field, {status.message().data(), status.message().size()});
}

Answer answer_job(const absl::StatusOr<JobView>& job, v1::JobView view) {
  if (!job.ok()) return job.status();
  return encode_job(*job, view);
}

}  // namespace

absl::StatusOr<SubmitRequest> SubmitMethod::prepare(const RpcLimits& limits, Request& request) {
  return to_submit_request(*request.mutable_job(), *request.mutable_request_id(), limits);
}

Co<Answer> SubmitMethod::answer(RpcHub& hub, Request& request, Prepared& prepared) {
  const absl::StatusOr<JobView> job = co_await hub.backend.engine.submit(std::move(prepared));
  co_return answer_job(job, view_or(request.view(), v1::JOB_VIEW_BASIC));
}

absl::StatusOr<SubmitRequest> RunMethod::prepare(const RpcLimits& limits, Request& request) {
  return to_submit_request(*request.mutable_job(), *request.mutable_request_id(), limits);
}

Co<Answer> RunMethod::answer(RpcHub& hub, Request& request, Prepared& prepared) {
  const absl::StatusOr<JobView> job =
      co_await hub.backend.engine.submit_and_wait(std::move(prepared), request.detach());
  co_return answer_job(job, view_or(request.view(), v1::JOB_VIEW_RESULT));
}

absl::StatusOr<std::string> GetMethod::prepare(const RpcLimits&, Request& request) {
  return job_id_of(request.name());
}

Co<Answer> GetMethod::answer(RpcHub& hub, Request& request, Prepared& id) {
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

namespace {

// How many of the page's jobs fit into one answer; at least one, however large it is.
size_t fitting(const JobPage& page, v1::JobView view) {
  if (view == v1::JOB_VIEW_BASIC) return page.jobs.size();
  size_t bytes = 0;
  for (size_t i = 0; i < page.jobs.size(); ++i) {
    const JobRecord& record = *page.jobs[i];
    bytes += 512 + 64 * record.stages.size();
    if (record.result != nullptr) bytes += record.result->size();
    if (view == v1::JOB_VIEW_FULL) bytes += record.spec->input.size();
    if (bytes > kMaxPageBytes) return i == 0 ? 1 : i;
  }
  return page.jobs.size();
}

}  // namespace

Co<Answer> ListMethod::answer(RpcHub& hub, Request& request, Prepared& query) {
  const v1::JobView view = view_or(request.view(), v1::JOB_VIEW_BASIC);
  absl::StatusOr<JobPage> page = co_await hub.backend.engine.list(query);
  if (!page.ok()) co_return page.status();
  const size_t fit = fitting(*page, view);
  if (fit < page->jobs.size()) {
    // Only the engine can say where a shorter page ends, so it is asked for one.
    query.page_size = fit;
    page = co_await hub.backend.engine.list(query);
    if (!page.ok()) co_return page.status();
  }
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

Co<Answer> WaitMethod::answer(RpcHub& hub, Request& request, Prepared& prepared) {
  const absl::Time until = hub.loop.now() + prepared.timeout;
  const absl::StatusOr<JobView> job =
      co_await hub.backend.engine.wait(std::move(prepared.id), until);
  co_return answer_job(job, view_or(request.view(), v1::JOB_VIEW_RESULT));
}

absl::StatusOr<std::string> CancelMethod::prepare(const RpcLimits&, Request& request) {
  return job_id_of(request.name());
}

Co<Answer> CancelMethod::answer(RpcHub& hub, Request&, Prepared& id) {
  const absl::StatusOr<JobView> job =
      co_await hub.backend.engine.request_cancel(std::move(id), CancelCause::kRequested);
  co_return answer_job(job, v1::JOB_VIEW_BASIC);
}

absl::StatusOr<std::string> DeleteMethod::prepare(const RpcLimits&, Request& request) {
  return job_id_of(request.name());
}

Co<Answer> DeleteMethod::answer(RpcHub& hub, Request& request, Prepared& id) {
  const absl::Status status = co_await hub.backend.engine.remove(std::move(id));
  const bool fine = status.ok() || (absl::IsNotFound(status) && request.allow_missing());
  if (!fine) co_return status;
  co_return encode(google::protobuf::Empty());
}

}  // namespace fermata::frontend

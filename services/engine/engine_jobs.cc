// Engine: asking about jobs. Unfinished ones are answered from memory, finished ones by the store.
#include <algorithm>
#include <utility>

#include "services/config/str_cat.h"
#include "services/engine/engine.h"

namespace fermata {
namespace {

constexpr size_t kPageMax = 1000;
constexpr size_t kSearchMax = 10000;  // live jobs that one list call looks at
constexpr size_t kIdSize = 36;

class Counted {
 public:
  explicit Counted(int64_t& count) : count_(count) { ++count_; }
  Counted(const Counted&) = delete;
  ~Counted() { --count_; }

 private:
  int64_t& count_;
};

}  // namespace

JobRef Engine::find_live(std::string_view id) const {
  const auto found = live_.find(id);
  // A job that is being stored does not exist yet for anybody.
  if (found == live_.end() || found->second->admission != JobAdmission::kAccepted) return nullptr;
  return found->second;
}

absl::Status Engine::not_here(const std::string& id) const {
  // An engine that stops leaves what goes on to the next one; otherwise it is being stored.
  return stopping_ ? job_left(id) : job_not_found(id);
}

Co<absl::StatusOr<JobView>> Engine::get_stored(std::string id) {
  absl::StatusOr<JobView> stored = co_await store_.get(id);
  if (stored.status().code() == absl::StatusCode::kNotFound) co_return job_not_found(id);
  if (!stored.ok()) co_return stored;
  co_return Journal::as_waiting(*std::move(stored));
}

Co<absl::StatusOr<JobView>> Engine::get(std::string id) {
  const JobRef job = find_live(id);
  if (job != nullptr) co_return journal_.view(*job);
  co_return co_await get_stored(std::move(id));
}

Co<absl::StatusOr<JobView>> Engine::wait(std::string id, absl::Time until) {
  const JobRef job = co_await find(id);
  if (job == nullptr) {
    absl::StatusOr<JobView> stored = co_await get_stored(id);
    if (stopping_ && stored.ok() && !(*stored)->finished()) co_return job_left(id);
    co_return stored;
  }
  if (until == absl::InfiniteFuture()) co_return co_await ended(job);
  Counted waiter(stats_.waiters);
  absl::Status over = co_await timeout_at(until, job->over.wait());
  if (over.ok()) co_return end_of(*job);
  co_return journal_.view(*job);
}

Co<absl::StatusOr<JobView>> Engine::ended(JobRef job) {
  Counted waiter(stats_.waiters);
  co_await job->over.wait();
  co_return end_of(*job);
}

absl::StatusOr<JobView> Engine::end_of(Job& job) {
  if (!is_finished(job.state)) return job_left(job.spec->id);
  return journal_.view(job);
}

Co<absl::StatusOr<Watch>> Engine::watch(std::string id, int64_t after_sequence) {
  const JobRef job = co_await find(id);
  if (job != nullptr) {
    // A sequence from the future is from another life of the job: begin with a snapshot.
    if (after_sequence > job->sequence || after_sequence < 0) after_sequence = 0;
    co_return Watch(journal_.event_log(*job), after_sequence);
  }
  absl::StatusOr<JobView> stored = co_await get_stored(id);
  if (!stored.ok()) co_return stored.status();
  if (!(*stored)->finished()) co_return not_here(id);
  co_return Watch(journal_.closed_log(*stored), after_sequence);
}

Co<absl::StatusOr<JobView>> Engine::request_cancel(std::string id, CancelCause cause) {
  const JobRef job = co_await find(id);
  if (job == nullptr) {
    absl::StatusOr<JobView> stored = co_await get_stored(id);
    if (!stored.ok()) co_return stored;
    if (!(*stored)->finished()) co_return not_here(id);
    co_return job_finished(id, to_string((*stored)->state));
  }
  const bool waits = job->state == JobState::kPending;
  stop_job(*job, cause);
  if (waits) {
    // Nothing has to let go: only the store is asked, and whoever asks does not wait until it works
    // again.
    co_await job->end_tried.wait();
    if (!job->over.is_set()) co_return cancel_not_stored(*job, job->end_refused);
    co_return end_of(*job);
  }
  if (job->state == JobState::kCancelling && store_.keeps(*job->spec)) {
    // Who is told that it stops must not find it running after a crash.
    absl::Status told = co_await commit(journal_.view(*job));
    if (!told.ok()) co_return cancel_not_stored(*job, told);
  }
  co_return journal_.view(*job);
}

absl::Status Engine::cancel_not_stored(const Job& job, const absl::Status& why) const {
  return store_unavailable(
      str_cat("jobs/", job.spec->id,
              " is told to stop, but storing that failed, so after a crash it would run again; "
              "cancel it again to be sure"),
      why, limits_.retry_delay);
}

Co<absl::StatusOr<JobView>> Engine::cancel(std::string id, CancelCause cause) {
  const JobRef job = co_await find(id);
  absl::StatusOr<JobView> told = co_await request_cancel(std::move(id), cause);
  if (!told.ok() || job == nullptr) co_return told;
  co_return co_await ended(job);
}

Co<absl::Status> Engine::remove(std::string id) {
  const JobRef job = find_live(id);
  if (job != nullptr) co_return job_not_finished(id, to_string(job->state));
  absl::Status removed = co_await store_.remove(id);
  if (removed.code() == absl::StatusCode::kNotFound) co_return job_not_found(id);
  if (removed.code() == absl::StatusCode::kFailedPrecondition) {
    co_return job_not_finished(id, to_string(JobState::kPending));
  }
  co_return removed;
}

JobPage Engine::list_live(const ListQuery& query) {
  JobPage page;
  auto at = query.page_token.empty() ? live_.end() : live_.lower_bound(query.page_token);
  for (size_t searched = 0; at != live_.begin() && page.jobs.size() < query.page_size;) {
    if (++searched > kSearchMax) break;
    --at;
    Job& job = *at->second;
    if (job.admission != JobAdmission::kAccepted) continue;
    if (query.filter.matches(*job.spec, job.state)) page.jobs.push_back(journal_.view(job));
  }
  if (at != live_.begin()) {
    page.next_page_token = at == live_.end() ? query.page_token : std::string(at->first);
  }
  return page;
}

Co<absl::StatusOr<JobPage>> Engine::list_waiting(ListQuery query) {
  // What the store has is older than what this says, so the states are compared here.
  JobFilter filter = query.filter;
  filter.states.clear();
  Lock::Guard guard = co_await asking_.acquire();
  Reading reading(*this);
  absl::StatusOr<JobPage> stored =
      co_await store_.list_unfinished(filter, query.page_token, query.page_size);
  if (!stored.ok()) co_return stored;
  JobPage page;
  page.next_page_token = stored->next_page_token;
  for (JobView& job : stored->jobs) {
    if (live_.contains(job->id()) || left_.contains(job->id())) continue;
    JobView waiting = Journal::as_waiting(std::move(job));
    if (query.filter.matches(*waiting)) page.jobs.push_back(std::move(waiting));
  }
  co_return page;
}

Co<absl::StatusOr<JobPage>> Engine::list(ListQuery query) {
  if (!query.page_token.empty() && query.page_token.size() != kIdSize) {
    co_return invalid_field("page_token", "expected a token from an earlier answer");
  }
  query.page_size = std::clamp<size_t>(query.page_size, 1, kPageMax);
  if (!serving_.is_set()) co_await serving_.wait();
  absl::StatusOr<JobPage> waiting = JobPage();
  if (backlog_.absent() > 0) {
    waiting = co_await list_waiting(query);
    if (!waiting.ok()) co_return waiting;
  }
  // In the direction in which jobs go: waiting in the store, in memory, finished. So one that moves
  // on meanwhile is seen on its new side, perhaps on both.
  JobPage live = list_live(query);
  absl::StatusOr<JobPage> stored =
      co_await store_.list_finished(query.filter, query.page_token, query.page_size);
  if (!stored.ok()) co_return stored.status();
  JobPage unfinished = merge_pages(*std::move(waiting), std::move(live), query.page_size);
  co_return merge_pages(std::move(unfinished), *std::move(stored), query.page_size);
}

}  // namespace fermata

// Engine: pending jobs that only the store has. How they leave memory when a queue is long, come
// back when their turn is near or somebody asks for them, and end when their time is over.
//
// A job leaves memory only once the store has it, and as it is there. What is read is compared with
// what has happened since it was asked for (`left_`, the table, the horizon), so an old answer
// brings nothing back to life. A read that fails is tried again (100 ms to 5 s apart) and shows in
// the metrics; until then those jobs wait.
#include <algorithm>
#include <utility>

#include "services/engine/engine.h"

namespace fermata {
namespace {

constexpr size_t kPage = 250;  // taken in one step of the loop
constexpr size_t kPageBytes = size_t{16} << 20;
constexpr size_t kDuePage = 200;
constexpr int kTrimmedAtOnce = 2;  // more than come in, so a lane whose share has shrunk gets there
constexpr absl::Duration kReadRetryFirst = absl::Milliseconds(100);
constexpr absl::Duration kReadRetryMax = absl::Seconds(5);

}  // namespace

size_t Engine::lane_window() const {
  const size_t window = std::min(limits_.window, limits_.jobs / 2);
  const size_t lanes = std::max({pending_.lanes(), backlog_.lanes(), size_t{1}});
  return std::max<size_t>(window / lanes, 1);
}

void Engine::place(Job& job) {
  if (!store_.keeps(*job.spec)) return enqueue(job);
  if (!backlog_.behind(*job.spec)) {
    enqueue(job);
    return trim(job.spec->queue, job);
  }
  job.input.reset();
  Backlog::Lane& lane = backlog_.add(job);
  watch_deadline(job);
  if (stopping_) return end_for_stop(job);
  if (lane.reading) {
    lane.held.push_back(job.shared_from_this());
    return;
  }
  note_room(job.spec->queue);
  if (job.holds == 0) forget(job);
}

void Engine::trim(const std::string& queue, const Job& fresh) {
  for (int trimmed = 0; trimmed < kTrimmedAtOnce; ++trimmed) {
    const Backlog::Lane* const lane = backlog_.find(queue);
    const size_t in_memory = pending_.size_of(queue);
    const bool crowded = in_memory > lane_window() || (in_memory > 1 && too_many_bytes());
    if (!crowded || (lane != nullptr && lane->reading)) return;
    const JobRef last = pending_.last(queue)->shared_from_this();
    pending_.remove(*last);
    last->view = nullptr;
    (void)backlog_.add(*last);
    const bool asked = last.get() == &fresh ? fresh.holds > 0 : asked_for(*last, 1);
    if (!asked) forget(*last);
  }
}

void Engine::note_room(const std::string& queue) {
  if (backlog_.lanes() == 0 || stopping_) return;
  const Backlog::Lane* const lane = backlog_.find(queue);
  if (lane == nullptr || lane->reading || lane->wanted) return;
  const size_t in_memory = pending_.size_of(queue);
  if (in_memory > lane_window() / 2 || (in_memory > 0 && too_many_bytes())) return;
  backlog_.want(queue);
  refill_wanted_.set();
}

bool Engine::asked_for(const Job& job, long mine) {
  return job.weak_from_this().use_count() > 1 + mine ||
         (job.log != nullptr && job.log.use_count() > 1);
}

void Engine::forget(Job& job) {
  const JobRef keep = job.shared_from_this();
  backlog_.forget(job);
  if (job.spec->deadline != absl::InfiniteFuture()) {
    deadlines_.erase({job.spec->deadline, job.spec->id});
    if (job.spec->deadline < next_due_) {
      next_due_ = job.spec->deadline;
      due_changed_.set();
    }
  }
  journal_.forgotten(job);
  left_memory(job);
}

void Engine::forget_unasked() {
  if (backlog_.parked().size() < forget_at_ && !too_many_bytes()) return;
  std::vector<JobRef> jobs;
  for (Job* job : backlog_.parked()) {
    if (!job->ending && !asked_for(*job, 0)) jobs.push_back(job->shared_from_this());
  }
  for (const JobRef& job : jobs) forget(*job);
  forget_at_ = std::max(kForgetFrom, backlog_.parked().size() * 2);
}

JobRef Engine::park(const JobView& record) {
  if (live_.contains(record->id()) || left_.contains(record->id())) return nullptr;
  if (record->finished() || stopping_ || !backlog_.behind(*record->spec)) return nullptr;
  forget_unasked();
  const JobRef job = revive(record);
  backlog_.park(*job);
  if (job->ending) return job;
  watch_deadline(*job);
  // It was told to stop, and it has: nothing of it runs any more.
  if (record->state == JobState::kCancelling) stop_job(*job, CancelCause::kRequested);
  return job;
}

Co<JobRef> Engine::find(std::string id) {
  if (!serving_.is_set() && group_ != nullptr) co_await serving_.wait();
  if (live_.contains(id) || backlog_.absent() == 0) co_return find_live(id);
  Lock::Guard guard = co_await asking_.acquire();
  if (live_.contains(id) || backlog_.absent() == 0) co_return find_live(id);
  Reading reading(*this);
  absl::StatusOr<JobView> stored = co_await store_.get(id);
  if (!stored.ok()) co_return nullptr;
  const JobRef parked = park(*stored);
  co_return parked == nullptr ? find_live(id) : parked;
}

Co<absl::Status> Engine::refill() {
  absl::Duration delay = kReadRetryFirst;
  for (;;) {
    refill_wanted_.clear();
    std::string queue;
    if (backlog_.next_wanted(&queue) == nullptr) {
      co_await refill_wanted_.wait();
      continue;
    }
    absl::Status read = co_await read_lane(queue);
    if (!read.ok() && backlog_.find(queue) != nullptr) backlog_.want(queue);
    dispatch();
    co_await note_read(read, &delay);
  }
}

Co<void> Engine::note_read(absl::Status read, absl::Duration* delay) {
  if (read.ok()) {
    *delay = kReadRetryFirst;
    co_return;
  }
  stats_.store_healthy = false;
  ++stats_.store_failures;
  co_await sleep(*delay);
  *delay = std::min(*delay * 2, kReadRetryMax);
}

Co<absl::Status> Engine::read_lane(std::string queue) {
  Lock::Guard guard = co_await asking_.acquire();
  Backlog::Lane* lane = backlog_.find(queue);
  const size_t in_memory = pending_.size_of(queue);
  if (lane == nullptr || stopping_ || in_memory >= lane_window()) co_return absl::OkStatus();
  const size_t most = std::min(kPage, lane_window() - in_memory);
  // With too much in memory it goes on one by one: what waits must not wait for ever.
  const size_t half = limits_.bytes / 2;
  const size_t bytes = too_many_bytes() ? 1 : std::min(kPageBytes, half - admission_.bytes());
  std::optional<LanePlace> from;
  if (lane->has_horizon) from = lane->horizon;
  Reading reading(*this);
  lane->reading = true;
  absl::StatusOr<LanePage> page = co_await store_.lane(queue, from, most, bytes);
  lane = backlog_.find(queue);
  if (lane == nullptr) co_return absl::OkStatus();  // the engine has ended
  lane->reading = false;
  if (!page.ok() || stopping_) {
    take_held(*lane);
    backlog_.tidy(queue);
    co_return page.status();
  }
  take_page(queue, *page);
  note_room(queue);
  co_return absl::OkStatus();
}

void Engine::take_page(const std::string& queue, const LanePage& page) {
  Backlog::Lane& lane = *backlog_.find(queue);
  for (const JobView& record : page.jobs) {
    if (left_.contains(record->id())) continue;
    const auto found = live_.find(record->id());
    if (found == live_.end()) {
      backlog_.took(lane);
      take_waiting(record);
      continue;
    }
    // One that is being accepted will find its place by itself.
    Job& job = *found->second;
    if (!job.parked) continue;
    backlog_.unpark(job);
    if (!job.ending) queue_up(job);
  }
  if (!page.more) {
    for (const JobRef& job : backlog_.read_to_the_end(queue)) {
      if (!job->ending) queue_up(*job);
    }
    return;
  }
  lane.horizon = LanePlace::behind(*page.jobs.back()->spec);
  lane.has_horizon = true;
  take_held(lane);
}

void Engine::take_waiting(const JobView& record) {
  const JobRef job = revive(record);
  if (job->ending) return;
  queue_up(*job);
  if (record->state == JobState::kCancelling) stop_job(*job, CancelCause::kRequested);
}

void Engine::take_held(Backlog::Lane& lane) {
  for (const JobRef& job : std::exchange(lane.held, {})) {
    if (!job->parked || job->ending) continue;
    if (!backlog_.behind(*job->spec)) {
      backlog_.unpark(*job);
      queue_up(*job);
    } else if (!asked_for(*job, 1)) {
      forget(*job);
    }
  }
}

Co<absl::Status> Engine::expire_stored() {
  absl::Duration delay = kReadRetryFirst;
  for (;;) {
    due_changed_.clear();
    if (next_due_ == absl::InfiniteFuture()) {
      co_await due_changed_.wait();
      continue;
    }
    if (next_due_ > clock_.now()) {
      absl::Status changed = co_await timeout_at(next_due_, due_changed_.wait());
      continue;
    }
    absl::Time next = absl::InfiniteFuture();
    next_due_ = absl::InfiniteFuture();  // from now on: what is forgotten meanwhile
    absl::StatusOr<std::vector<JobRef>> due = co_await read_due(&next);
    next_due_ = std::min(next_due_, due.ok() ? next : absl::InfinitePast());
    co_await note_read(due.status(), &delay);
    if (!due.ok()) continue;
    // No more at once than these; others that are due wait for a place in memory.
    for (const JobRef& job : *due) co_await job->over.wait();
  }
}

Co<absl::StatusOr<std::vector<JobRef>>> Engine::read_due(absl::Time* next) {
  Lock::Guard guard = co_await asking_.acquire();
  const absl::Time now = clock_.now();
  std::vector<JobRef> jobs;
  DuePlace after;
  for (bool more = true; more && jobs.empty();) {
    Reading reading(*this);
    absl::StatusOr<DuePage> page = co_await store_.due(now, after, kDuePage);
    if (!page.ok()) co_return page.status();
    for (const JobView& record : page->jobs) {
      after = {record->spec->deadline, record->id()};
      const JobRef job = park(record);
      if (job == nullptr) continue;
      if (!job->ending) end_pending(*job, expired());
      jobs.push_back(job);
    }
    more = page->more && !page->jobs.empty();
    *next = more ? now : page->next;
  }
  co_return jobs;
}

}  // namespace fermata

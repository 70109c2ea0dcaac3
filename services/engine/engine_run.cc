// Engine: from the queue to the end. run() is a group; every running job is one task in it.
#include <algorithm>
#include <utility>

#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/engine/engine.h"
#include "services/engine/execution.h"

namespace fermata {
namespace {

constexpr absl::Duration kStoreRetryFirst = absl::Milliseconds(100);
constexpr absl::Duration kStoreRetryMax = absl::Seconds(5);

std::string_view cause_reason(CancelCause cause) {
  if (cause == CancelCause::kClientGone) return "CLIENT_GONE";
  if (cause == CancelCause::kShutdown) return "SHUTDOWN";
  return "CANCEL_REQUESTED";
}

void count_end(PipelineStats& stats, const JobRecord& record) {
  ++stats.finished[static_cast<size_t>(record.state)];
  if (record.start_time == absl::InfinitePast()) return;
  stats.run.observe(absl::ToInt64Nanoseconds(record.end_time - record.start_time));
}

JobError error_of(absl::StatusCode code, std::string_view message) {
  JobError error;
  error.code = code;
  error.message = message;
  return error;
}

}  // namespace

// One job that runs. When it is over, the next one may.
class Engine::RunningSlot {
 public:
  explicit RunningSlot(Engine& engine) : engine_(engine) {}
  RunningSlot(const RunningSlot&) = delete;
  ~RunningSlot() {
    --engine_.running_;
    engine_.dispatch();
  }

 private:
  Engine& engine_;
};

// While one exists, run() is serving.
class Engine::ServeGuard {
 public:
  explicit ServeGuard(Engine& engine) : engine_(engine) {}
  ServeGuard(const ServeGuard&) = delete;
  ~ServeGuard() { engine_.abandon(); }

 private:
  Engine& engine_;
};

Co<absl::Status> Engine::run() {
  FERMATA_CHECK(!serving_.is_set(), "an engine runs once");
  FERMATA_CHECK(&Loop::current() == &loop_, "an engine runs on the loop it was made for");
  ServeGuard guard(*this);
  co_return co_await with_group(&Engine::serve, this);
}

Co<absl::Status> Engine::serve(TaskGroup& group, Engine* self) {
  self->group_ = &group;
  absl::Status recovered = co_await self->recover();
  if (!recovered.ok()) co_return recovered;
  self->serving_.set();
  group.spawn_named("engine.expire", &Engine::expire_pending, self);
  co_await self->stop_requested_.wait();
  std::vector<JobRef> jobs;
  for (const auto& [id, job] : self->live_) jobs.push_back(job);
  for (const JobRef& job : jobs) {
    if (job->admission == JobAdmission::kAccepted) self->end_for_stop(*job);
  }
  while (!self->live_.empty()) co_await self->rested_.wait();
  group.cancel(CancelReason::kShutdown);
  co_return absl::OkStatus();
}

void Engine::abandon() {
  group_ = nullptr;
  drain_.begun = stopping_ = true;
  backlog_.clear();
  // Only after run() was cancelled from outside: nobody will finish these any more.
  while (!live_.empty()) {
    const JobRef job = live_.begin()->second;
    if (job->queued) pending_.remove(*job);
    if (job->admission == JobAdmission::kStoring) {
      refuse(*job, draining());
    } else {
      leave(*job);
    }
  }
  deadlines_.clear();
}

void Engine::queue_up(Job& job) {
  pending_.push(job);
  job.view = nullptr;
  watch_deadline(job);
}

void Engine::watch_deadline(const Job& job) {
  if (job.spec->deadline != absl::InfiniteFuture()) {
    const auto [at, fresh] = deadlines_.emplace(job.spec->deadline, job.spec->id);
    if (at == deadlines_.begin()) deadlines_changed_.set();
  }
}

void Engine::enqueue(Job& job) {
  queue_up(job);
  dispatch();
  if (job.queued) job.input.reset();  // it is parsed again when its turn comes
  if (stopping_) end_for_stop(job);
}

void Engine::dispatch() {
  if (group_ == nullptr || group_->cancelled()) return;
  // A held job leaves its place to another one.
  while (running_ - drain_.held < limits_.running) {
    Job* const next = pending_.pop([this](const Job& job) { return may_begin(job); });
    if (next == nullptr) return;
    Job& job = *next;
    note_room(job.spec->queue);
    if (job.spec->deadline != absl::InfiniteFuture()) {
      deadlines_.erase({job.spec->deadline, job.spec->id});
    }
    ++running_;
    journal_.set_state(job, JobState::kRunning);
    job.plan->stats->wait.observe(absl::ToInt64Nanoseconds(job.start_time - job.spec->create_time));
    group_->spawn_named("job", &Engine::run_job, this, job.shared_from_this());
  }
}

bool Engine::may_begin(const Job& job) const { return !drain_.begun || !store_.keeps(*job.spec); }

Co<void> Engine::run_job(JobRef job) {
  RunningSlot slot(*this);
  Ending ending;
  {
    Execution execution(*job, context_);
    CancelScope scope(job->spec->deadline);
    job->scope = &scope;
    if (job->cancel_cause.has_value()) scope.cancel(CancelReason::kRequested);
    if (job->left) scope.cancel(CancelReason::kShutdown);
    Outcome<void> outcome = co_await scope.run(execution.run());
    ending = ending_of(*job, execution, outcome);
    job->scope = nullptr;
    if (job->left && outcome.cancelled() && outcome.reason() != CancelReason::kDeadline) {
      leave(*job);
      co_return;
    }
  }
  job->ending = true;
  co_await finish(job, std::move(ending));
}

Engine::Ending Engine::ending_of(const Job& job, const Execution& execution,
                                 const Outcome<void>& outcome) {
  Ending ending;
  if (execution.failure().has_value()) {
    ending.state = JobState::kFailed;
    ending.reason = execution.failure()->reason;
    ending.error = execution.failure()->error;
  } else if (outcome.ok()) {
    ending.state = JobState::kSucceeded;
    ending.result = execution.result();
  } else if (outcome.reason() == CancelReason::kDeadline) {
    ending.state = JobState::kExpired;
    ending.reason = "TIMED_OUT";
    ending.error = error_of(absl::StatusCode::kDeadlineExceeded,
                            "the job's timeout passed before it was done");
  } else if (outcome.cancelled()) {
    const CancelCause cause = job.cancel_cause.value_or(CancelCause::kShutdown);
    ending.state = JobState::kCancelled;
    ending.reason = cause_reason(cause);
    ending.error = error_of(absl::StatusCode::kCancelled, "the job was cancelled");
  } else {
    ending.state = JobState::kFailed;
    ending.reason = "INTERNAL";
    const absl::string_view why = outcome.status().message();
    ending.error = error_of(absl::StatusCode::kInternal, std::string_view(why.data(), why.size()));
  }
  return ending;
}

Co<void> Engine::finish(JobRef job, Ending ending) {
  // The state machine has no short cuts: see state_machine.h.
  const bool ran = ending.state == JobState::kSucceeded || ending.state == JobState::kFailed;
  if (ran && job->state == JobState::kBackingOff) journal_.set_state(*job, JobState::kRunning);
  const bool ran_before = job->state == JobState::kRunning || job->state == JobState::kBackingOff;
  if (ending.state == JobState::kCancelled && ran_before) {
    journal_.set_state(*job, JobState::kCancelling, ending.reason);
  }
  JobView record = final_record(*job, std::move(ending));
  if (planted(PlantedBug::kEndTwice)) conclude(*job, record);
  absl::Status stored = co_await commit_final(job, record);
  if (planted(PlantedBug::kEndTwice)) co_return;
  if (stored.code() == absl::StatusCode::kOutOfRange) {
    record = final_record(*job, too_large(stored));
    stored = co_await commit_final(job, record);
  }
  if (stored.ok()) {
    conclude(*job, record);
  } else {
    leave(*job);  // as the store last saw it: it will be run again
  }
}

Co<absl::Status> Engine::commit_final(JobRef job, JobView record) {
  absl::Duration delay = kStoreRetryFirst;
  for (;;) {
    // It has not ended for anybody before that is stored.
    absl::Status stored = co_await commit(record);
    if (stored.ok() || stopping_) co_return stored;
    const bool for_good = stored.code() == absl::StatusCode::kOutOfRange;
    if (for_good && record->result != nullptr) co_return stored;
    job->end_refused = std::move(stored);
    job->end_tried.set();
    co_await sleep(delay);
    delay = std::min(delay * 2, kStoreRetryMax);
  }
}

std::shared_ptr<const JobRecord> Engine::final_record(const Job& job, Ending ending) {
  std::shared_ptr<JobRecord> record = journal_.draft(job);
  record->state = ending.state;
  record->reason = std::move(ending.reason);
  record->error = std::move(ending.error);
  record->result = std::move(ending.result);
  record->sequence = job.sequence + 1;
  record->end_time = clock_.now();
  for (StageProgress& stage : record->stages) {
    stage.output = nullptr;
    stage.begun = false;
    const bool open = stage.state == StageState::kRunning || stage.state == StageState::kWaiting;
    if (open) stage.state = StageState::kCancelled;
  }
  return record;
}

void Engine::conclude(Job& job, JobView record) {
  if (!record->reason.empty()) ++stats_.finished_reasons[record->reason];
  if (job.plan != nullptr) count_end(*job.plan->stats, *record);
  if (asked_) left_.insert(record->id());
  journal_.ended(job, std::move(record));
  let_go(job);
}

void Engine::leave(Job& job) {
  job.left = true;
  journal_.left(job);
  let_go(job);
}

void Engine::let_go(Job& job) {
  const JobRef keep = job.shared_from_this();
  backlog_.ended(job);
  job.over.set();
  job.end_tried.set();
  left_memory(job);
}

void Engine::left_memory(const Job& job) {
  const std::string& request_id = job.spec->request_id;
  const auto by_request = by_request_.find(request_id);
  if (by_request != by_request_.end() && by_request->second == &job) by_request_.erase(by_request);
  live_.erase(job.spec->id);
  admission_.release(job.bytes);
  note_rest();
}

Co<void> Engine::expire_pending() {
  for (;;) {
    deadlines_changed_.clear();
    if (deadlines_.empty()) {
      co_await deadlines_changed_.wait();
      continue;
    }
    const auto [deadline, id] = *deadlines_.begin();
    if (deadline > clock_.now()) {
      absl::Status changed = co_await timeout_at(deadline, deadlines_changed_.wait());
      continue;
    }
    end_pending(*live_.find(id)->second, expired());
  }
}

Engine::Ending Engine::expired() {
  Ending ending;
  ending.state = JobState::kExpired;
  ending.reason = "TIMED_OUT_PENDING";
  ending.error = error_of(absl::StatusCode::kDeadlineExceeded,
                          "the job's timeout passed before its turn came");
  return ending;
}

Engine::Ending Engine::too_large(const absl::Status& why) {
  Ending ending;
  ending.state = JobState::kFailed;
  ending.reason = "OUTPUT_TOO_LARGE";
  ending.error = error_of(absl::StatusCode::kResourceExhausted,
                          str_cat("the store cannot keep the result: ",
                                  std::string(why.message().data(), why.message().size()),
                                  "; let the pipeline return less"));
  return ending;
}

void Engine::unqueue(Job& job) {
  if (job.queued) {
    pending_.remove(job);
    note_room(job.spec->queue);
  }
  if (job.spec->deadline != absl::InfiniteFuture()) {
    deadlines_.erase({job.spec->deadline, job.spec->id});
  }
}

void Engine::end_pending(Job& job, Ending ending) {
  unqueue(job);
  job.ending = true;
  group_->spawn_named("job", &Engine::finish, this, job.shared_from_this(), std::move(ending));
}

void Engine::end_for_stop(Job& job) {
  if (!store_.keeps(*job.spec)) return stop_job(job, CancelCause::kShutdown);
  if (job.ending || job.cancel_cause.has_value()) return;
  if (job.queued || job.parked) {
    unqueue(job);
    leave(job);
    return;
  }
  job.left = true;
  if (job.scope != nullptr) job.scope->cancel(CancelReason::kShutdown);
}

void Engine::cancel_pending(Job& job, CancelCause cause) {
  job.cancel_cause = cause;
  Ending ending;
  ending.state = JobState::kCancelled;
  ending.reason = cause_reason(cause);
  ending.error = error_of(absl::StatusCode::kCancelled, "the job was cancelled before it ran");
  end_pending(job, std::move(ending));
}

void Engine::stop_job(Job& job, CancelCause cause) {
  if (job.ending || job.cancel_cause.has_value()) return;
  if (job.queued || job.parked) return cancel_pending(job, cause);
  job.cancel_cause = cause;
  journal_.set_state(job, JobState::kCancelling, cause_reason(cause));
  if (job.scope != nullptr) job.scope->cancel(CancelReason::kRequested);
}

}  // namespace fermata

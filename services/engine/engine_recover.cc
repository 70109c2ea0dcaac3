// Engine: opening the shard. Whatever the store has unfinished goes on where it was, whoever wrote
// it: this process before a crash, or another one before it.
//
// A stage whose output is stored is not run again; whatever was on its way is. At the start jobs
// are only counted: they come into memory as those of a full queue do (engine_backlog.cc), so there
// is one such path, every start takes it, and it takes no longer for a million.
#include <utility>

#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/engine/engine.h"

namespace fermata {
namespace {

bool is_done(const StageProgress& stage) {
  return stage.state == StageState::kSkipped ||
         (stage.state == StageState::kSucceeded && stage.output != nullptr);
}

bool has_progress(const JobRecord& record) {
  for (const StageProgress& stage : record.stages) {
    if (is_done(stage)) return true;
  }
  return false;
}

// The stage that must not be entered again and perhaps was; null: there is none.
const StageProgress* lost_stage(const JobRecord& record) {
  // It was told to stop, so nothing of it will run in any case.
  if (record.state == JobState::kCancelling) return nullptr;
  for (const StageProgress& stage : record.stages) {
    if (stage.begun && !is_done(stage)) return &stage;
  }
  return nullptr;
}

JobError stage_lost(const StageProgress& stage) {
  JobError error;
  error.code = absl::StatusCode::kAborted;
  error.message = str_cat(
      "stage '", stage.name,
      "' had begun when the server ended, and may have done its work; it has `if_lost: fail`, so "
      "it is not run again: look at what it did, then submit the job once more, or give the stage "
      "`if_lost: retry` if it may run twice");
  error.stage = stage.name;
  return error;
}

JobError not_resumed(const absl::Status& why) {
  JobError error;
  error.code = why.code();
  error.message =
      str_cat("cannot be resumed: ", std::string(why.message().data(), why.message().size()));
  return error;
}

bool same_stages(const JobRecord& record, const Plan& plan) {
  if (record.stages.size() != plan.stages.size()) return false;
  for (size_t i = 0; i < record.stages.size(); ++i) {
    if (record.stages[i].name != plan.pipeline->stages[i].name) return false;
  }
  return true;
}

}  // namespace

Co<absl::Status> Engine::recover() {
  const std::string newest = store_.newest_id();
  ids_.start_above(newest);
  journal_.begin_life(store_.sequence_floor());
  last_of_earlier_life_ = key_of(newest).value_or(-1);
  absl::StatusOr<std::vector<StoredLane>> lanes = co_await store_.lanes();
  if (!lanes.ok()) co_return lanes.status();
  for (const StoredLane& lane : *lanes) {
    backlog_.found(lane.queue, lane.jobs);
    stats_.recovered += lane.jobs;
    next_due_ = absl::InfinitePast();
  }
  group_->spawn_named("engine.refill", &Engine::refill, this);
  group_->spawn_named("engine.due", &Engine::expire_stored, this);
  co_return absl::OkStatus();
}

absl::StatusOr<PlanRef> Engine::plan_to_resume(const JobRecord& record) {
  SubmitRequest work;
  work.pipeline = record.spec->pipeline_yaml.empty() ? record.spec->pipeline : "";
  work.pipeline_yaml = record.spec->pipeline_yaml;
  work.stage = record.spec->stage;
  absl::StatusOr<PlanRef> plan = plan_of(work);
  if (!plan.ok() || !has_progress(record)) return plan;
  const Pipeline& pipeline = *(*plan)->pipeline;
  const bool same_version = (*plan)->bare || pipeline.version == record.spec->pipeline_version;
  if (same_version && same_stages(record, **plan)) return plan;
  return absl::FailedPreconditionError(
      str_cat("the job had finished stages of version ", record.spec->pipeline_version,
              " of pipeline '", pipeline.name, "', and this server has version ", pipeline.version,
              ", so it can neither go on nor begin again; submit it once more"));
}

JobRef Engine::revive(const JobView& record) {
  auto job = std::make_shared<Job>();
  job->spec = record->spec;
  if (planted(PlantedBug::kForgetTimers)) {
    JobSpec timeless = *record->spec;
    timeless.deadline = absl::InfiniteFuture();
    job->spec = std::make_shared<const JobSpec>(std::move(timeless));
  }
  job->admission = JobAdmission::kAccepted;
  job->stored.set();
  job->detached = true;  // whoever held it is gone; it was accepted, so it runs
  absl::StatusOr<PlanRef> plan = plan_to_resume(*record);
  if (plan.ok()) job->plan = *std::move(plan);
  const bool of_this_life = key_of(record->id()).value_or(-1) > last_of_earlier_life_;
  journal_.resumed(*job, *record, of_this_life);
  job->bytes = bytes_of(*journal_.draft(*job)) + (job->plan == nullptr ? 0 : job->plan->bytes);
  admission_.admit_stored(job->bytes);
  live_.emplace(job->spec->id, job);
  if (!planted(PlantedBug::kForgetRequestIds)) know_request(*job);
  if (const StageProgress* lost = lost_stage(*record); lost != nullptr) {
    fail_stored(*job, *record, "STAGE_LOST", stage_lost(*lost));
  } else if (job->plan == nullptr) {
    const std::optional<ErrorDetail> detail = detail_of(plan.status());
    fail_stored(*job, *record, detail.has_value() ? detail->reason : "PIPELINE_CHANGED",
                not_resumed(plan.status()));
  }
  return job;
}

void Engine::fail_stored(Job& job, const JobRecord& record, std::string reason, JobError why) {
  journal_.set_state(job, JobState::kRunning);  // there is no other way to FAILED
  auto failed = std::make_shared<JobRecord>(record);
  failed->state = JobState::kFailed;
  failed->reason = std::move(reason);
  failed->error = std::move(why);
  failed->sequence = job.sequence + 1;
  failed->end_time = clock_.now();
  for (StageProgress& stage : failed->stages) {
    stage.output = nullptr;
    stage.begun = false;
    const bool open = stage.state == StageState::kRunning || stage.state == StageState::kWaiting;
    if (open) stage.state = StageState::kCancelled;
  }
  job.ending = true;
  group_->spawn_named("store", &Engine::store_failed, this, job.shared_from_this(),
                      JobView(std::move(failed)));
}

Co<void> Engine::store_failed(JobRef job, JobView record) {
  absl::Status stored = co_await commit_final(job, record);
  if (stored.ok()) {
    conclude(*job, record);
  } else {
    leave(*job);  // the next start fails it again
  }
}

}  // namespace fermata

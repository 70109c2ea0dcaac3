// Engine: opening the shard. Whatever the store has unfinished goes on where it was, whoever wrote
// it: this process before a crash, or another one before it.
//
// A stage whose output is stored is not run again; whatever was on its way is. There is one such
// path, and every start takes it. The oldest jobs are taken over before the engine serves, and the
// rest, of which there may be a million, while it does: questions about one of those wait for it.
#include <utility>

#include "services/config/str_cat.h"
#include "services/engine/engine.h"

namespace fermata {
namespace {

constexpr size_t kPage = 1000;
constexpr size_t kBeforeServing = 10000;

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

bool same_stages(const JobRecord& record, const Plan& plan) {
  if (record.stages.size() != plan.stages.size()) return false;
  for (size_t i = 0; i < record.stages.size(); ++i) {
    if (record.stages[i].name != plan.pipeline->stages[i].name) return false;
  }
  return true;
}

}  // namespace

Co<absl::Status> Engine::recover() {
  ids_.start_above(store_.newest_id());
  std::string after;
  while (live_.size() < kBeforeServing && !loaded_.is_set() && !stopping_) {
    absl::Status status = co_await resume_page(&after);
    if (!status.ok()) co_return status;
  }
  dispatch();
  if (!loaded_.is_set()) group_->spawn_named("engine.load", &Engine::load_rest, this, after);
  co_return absl::OkStatus();
}

Co<absl::Status> Engine::resume_page(std::string* after) {
  absl::StatusOr<std::vector<JobView>> jobs = co_await store_.live(*after, kPage);
  if (!jobs.ok()) co_return jobs.status();
  // Who stops the engine ends the jobs there are, and no others may come.
  if (stopping_) co_return absl::OkStatus();
  for (const JobView& record : *jobs) {
    // Submitted since the engine serves.
    if (live_.contains(record->id())) continue;
    resume(record);
  }
  if (jobs->size() < kPage) {
    loaded_.set();
  } else {
    *after = jobs->back()->id();
  }
  co_return absl::OkStatus();
}

Co<absl::Status> Engine::load_rest(std::string after) {
  // A stopping engine leaves the others where they are.
  while (!loaded_.is_set() && !stopping_) {
    absl::Status status = co_await resume_page(&after);
    if (!status.ok()) co_return status;
    dispatch();
    co_await yield_now();
  }
  loaded_.set();
  co_return absl::OkStatus();
}

Co<JobRef> Engine::find_loaded(std::string id) {
  const JobRef job = find_live(id);
  if (job != nullptr || loaded_.is_set()) co_return job;
  absl::StatusOr<JobView> stored = co_await store_.get(id);
  if (!stored.ok() || (*stored)->finished()) co_return nullptr;
  co_await loaded_.wait();
  co_return find_live(id);
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

void Engine::resume(const JobView& record) {
  absl::StatusOr<PlanRef> plan = plan_to_resume(*record);
  if (!plan.ok()) return fail_stored(record, plan.status());
  auto job = std::make_shared<Job>();
  job->spec = record->spec;
  job->plan = *std::move(plan);
  job->admission = JobAdmission::kAccepted;
  job->stored.set();
  job->detached = true;  // whoever held it is gone; it was accepted, so it runs
  journal_.resumed(*job, *record);
  job->bytes = bytes_of(*journal_.view(*job));
  admission_.admit_stored(job->bytes);
  ++stats_.recovered;
  live_.emplace_hint(live_.end(), job->spec->id, job);
  if (!job->spec->request_id.empty()) by_request_[job->spec->request_id] = job.get();
  queue_up(*job);
  if (record->state != JobState::kCancelling) return;
  // It was told to stop, and it has: nothing of it runs any more.
  stop_job(*job, CancelCause::kRequested);
}

void Engine::fail_stored(const JobView& record, const absl::Status& why) {
  auto failed = std::make_shared<JobRecord>(*record);
  const std::optional<ErrorDetail> detail = detail_of(why);
  failed->state = JobState::kFailed;
  failed->reason = detail.has_value() ? detail->reason : "PIPELINE_CHANGED";
  failed->error.emplace();
  failed->error->code = why.code();
  failed->error->message =
      str_cat("cannot be resumed: ", std::string(why.message().data(), why.message().size()));
  failed->sequence = journal_.sequence_of_this_life(failed->sequence);
  failed->end_time = clock_.now();
  for (StageProgress& stage : failed->stages) {
    stage.output = nullptr;
    const bool open = stage.state == StageState::kRunning || stage.state == StageState::kWaiting;
    if (open) stage.state = StageState::kCancelled;
  }
  ++stats_.finished_reasons[failed->reason];
  group_->spawn_named("store", &Engine::store_failed, this, JobView(std::move(failed)));
}

Co<void> Engine::store_failed(JobView record) {
  absl::Status stored = co_await commit_final(record);
  // A stopping engine leaves it: the next start fails it again.
  if (!stored.ok()) --stats_.finished_reasons[record->reason];
}

}  // namespace fermata

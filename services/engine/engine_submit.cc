// Engine: how a job gets in. Everything up to the store is one step of the loop, so two requests
// cannot race; from then on the job is in the table, and whoever sends the same request id again
// waits for the same answer.
#include <utility>

#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/engine/engine.h"
#include "services/engine/job_input.h"

namespace fermata {

// One client that runs a job and wants it cancelled when all such clients are gone.
class Engine::RunHold {
 public:
  RunHold(Engine& engine, JobRef job, bool detach) : engine_(engine), job_(std::move(job)) {
    ++job_->holds;
    if (detach) job_->detached = true;
  }
  RunHold(const RunHold&) = delete;
  ~RunHold() {
    const bool last = --job_->holds == 0;
    const bool lives = job_->admission == JobAdmission::kAccepted && !job_->over.is_set();
    if (last && lives && !job_->detached) engine_.stop_job(*job_, CancelCause::kClientGone);
  }

 private:
  Engine& engine_;
  JobRef job_;
};

Co<absl::StatusOr<JobView>> Engine::submit(SubmitRequest request) {
  if (!serving_.is_set()) co_await serving_.wait();
  absl::StatusOr<Taken> taken = take(std::move(request));
  if (!taken.ok()) co_return count_refusal(taken.status());
  taken->job->detached = true;
  co_return co_await admitted(taken->job, taken->fresh);
}

Co<absl::StatusOr<JobView>> Engine::submit_and_wait(SubmitRequest request, bool detach) {
  if (!serving_.is_set()) co_await serving_.wait();
  absl::StatusOr<Taken> taken = take(std::move(request));
  if (!taken.ok()) co_return count_refusal(taken.status());
  const JobRef job = taken->job;
  RunHold hold(*this, job, detach);
  absl::StatusOr<JobView> view = co_await admitted(job, taken->fresh);
  if (!view.ok()) co_return view;
  if (job->admission == JobAdmission::kDuplicate) {
    if ((*view)->finished()) co_return view;
    // It waits in the store.
    std::string id = (*view)->id();
    co_return co_await wait(std::move(id), absl::InfiniteFuture());
  }
  co_return co_await ended(job);
}

absl::Status Engine::count_refusal(absl::Status why) {
  const std::optional<ErrorDetail> detail = detail_of(why);
  ++stats_.refused[detail.has_value() ? detail->reason : "UNKNOWN"];
  return why;
}

absl::StatusOr<PlanRef> Engine::plan_of(const SubmitRequest& request) {
  if (!request.stage.empty()) return plans_.stage(request.stage);
  if (!request.pipeline_yaml.empty()) return plans_.inline_yaml(request.pipeline_yaml);
  return plans_.named(request.pipeline);
}

absl::StatusOr<Engine::Taken> Engine::take(SubmitRequest request) {
  if (drain_.begun) return draining();
  if (absl::Status valid = check_request(request, limits_); !valid.ok()) return valid;
  uint64_t fingerprint = 0;
  if (!request.request_id.empty()) {
    fingerprint = fingerprint_of(request);
    const auto found = by_request_.find(request.request_id);
    if (found != by_request_.end()) {
      Job& job = *found->second;
      if (job.spec->fingerprint != fingerprint) {
        return request_id_reused(request.request_id, job.spec->id);
      }
      return Taken{job.shared_from_this(), false};
    }
  }
  absl::StatusOr<PlanRef> plan = plan_of(request);
  if (!plan.ok()) return plan.status();
  return take_new(std::move(request), *std::move(plan), fingerprint);
}

absl::StatusOr<Engine::Taken> Engine::take_new(SubmitRequest request, PlanRef plan,
                                               uint64_t fingerprint) {
  if (request.input.empty()) request.input = "{}";
  absl::StatusOr<JsonDocument> input = parse_input(*plan->pipeline, request.input);
  if (!input.ok()) {
    return invalid_field("job.input", std::string(input.status().message()));
  }
  const absl::Time now = clock_.now();
  auto spec = std::make_shared<JobSpec>();
  spec->id = ids_.next(now);
  spec->pipeline = plan->bare ? std::string() : plan->pipeline->name;
  if (!plan->bare) spec->pipeline_version = plan->pipeline->version;
  spec->pipeline_yaml = std::move(request.pipeline_yaml);
  spec->stage = std::move(request.stage);
  spec->input = std::move(request.input);
  if (!request.queue.empty()) spec->queue = std::move(request.queue);
  spec->labels = std::move(request.labels);
  spec->priority = request.priority;
  spec->request_id = std::move(request.request_id);
  spec->fingerprint = fingerprint;
  spec->create_time = now;
  spec->deadline = now + request.timeout;

  const size_t bytes = bytes_of(*spec);
  if (absl::Status in = admission_.admit(bytes); !in.ok()) return in;
  auto job = std::make_shared<Job>();
  job->spec = std::move(spec);
  job->plan = std::move(plan);
  job->bytes = bytes;
  if (job->plan->needs_input) job->input = *std::move(input);
  journal_.created(*job);
  live_.emplace_hint(live_.end(), job->spec->id, job);
  know_request(*job);
  return Taken{std::move(job), true};
}

void Engine::know_request(Job& job) {
  if (job.spec->request_id.empty()) return;
  // The key is the text of its own job, not of an earlier one that is being refused.
  by_request_.erase(job.spec->request_id);
  by_request_.emplace(job.spec->request_id, &job);
}

Co<absl::StatusOr<JobView>> Engine::admitted(JobRef job, bool fresh) {
  if (fresh) {
    // A task of its own: whatever becomes of the client, what the store accepts must be queued.
    group_->spawn_named("store", &Engine::store_new, this, job);
  }
  if (!job->stored.is_set()) {
    co_await job->stored.wait();
  }
  if (job->admission == JobAdmission::kRefused) co_return count_refusal(job->refusal);
  if (job->admission == JobAdmission::kDuplicate) co_return job->duplicate;
  co_return journal_.view(*job);
}

Co<void> Engine::store_new(JobRef job) {
  const JobSpec& spec = *job->spec;
  if (!spec.request_id.empty() && !planted(PlantedBug::kForgetRequestIds)) {
    absl::StatusOr<JobView> earlier = co_await store_.find_request(spec.request_id);
    if (!earlier.ok()) {
      refuse(*job, store_unavailable("the job was not accepted: looking for its request_id failed",
                                     earlier.status(), limits_.retry_delay));
      co_return;
    }
    if (*earlier != nullptr && (*earlier)->spec->fingerprint != spec.fingerprint) {
      refuse(*job, request_id_reused(spec.request_id, (*earlier)->id()));
      co_return;
    }
    if (*earlier != nullptr) {
      refuse(*job, absl::OkStatus());
      job->admission = JobAdmission::kDuplicate;
      const JobRef known = find_live((*earlier)->id());
      job->duplicate = known != nullptr ? journal_.view(*known) : Journal::as_waiting(*earlier);
      co_return;
    }
  }
  absl::Status stored = co_await commit(journal_.view(*job));
  if (stored.ok()) {
    accept(*job);
  } else {
    refuse(*job, store_unavailable("the job was not accepted: storing it failed", stored,
                                   limits_.retry_delay));
  }
}

Co<absl::Status> Engine::commit(JobView record) {
  std::vector<JobView> batch;
  batch.push_back(std::move(record));
  absl::Status status = co_await store_.commit(std::move(batch));
  stats_.store_healthy = status.ok();
  if (!status.ok()) ++stats_.store_failures;
  co_return status;
}

void Engine::accept(Job& job) {
  job.admission = JobAdmission::kAccepted;
  ++stats_.submitted;
  ++job.plan->stats->submitted;
  job.stored.set();
  // Its client has left while it was being stored.
  if (job.holds == 0 && !job.detached) return cancel_pending(job, CancelCause::kClientGone);
  place(job);
}

void Engine::refuse(Job& job, absl::Status why) {
  const JobRef keep = job.shared_from_this();
  job.admission = JobAdmission::kRefused;
  job.refusal = std::move(why);
  journal_.refused(job);
  job.stored.set();
  left_memory(job);
}

}  // namespace fermata

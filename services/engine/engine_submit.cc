// Engine: how a job gets in.
//
//   is it known? by its request id, here or in the store ─► plan ─► input ─► admission ─► store
//
// What is known is answered whatever else holds by now: a full house, a drain, a pipeline that is
// gone. One request at a time asks the store about an id, and everything after its answer up to the
// store is one step of the loop, so two requests cannot race; from then on the job is in the table,
// and whoever sends the same request id again waits for the same answer.
#include <utility>

#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/engine/engine.h"
#include "services/engine/job_input.h"

namespace fermata {

// One client that runs a job and wants it cancelled when all such clients are gone.
class Engine::RunHold {
 public:
  RunHold(Engine& engine, JobRef job) : engine_(engine), job_(std::move(job)) { ++job_->holds; }
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

// The store is asked about a request id; who sends the same one meanwhile waits.
class Engine::Enquiry {
 public:
  Enquiry(Engine& engine, std::string request_id)
      : engine_(engine), request_id_(std::move(request_id)) {
    engine_.enquiries_.emplace(request_id_, answered_);
  }
  Enquiry(const Enquiry&) = delete;
  ~Enquiry() {
    engine_.enquiries_.erase(request_id_);
    answered_->set();
  }

 private:
  Engine& engine_;
  const std::string request_id_;
  const std::shared_ptr<Event> answered_ = std::make_shared<Event>();
};

Co<absl::StatusOr<JobView>> Engine::submit(SubmitRequest request) {
  if (!serving_.is_set()) co_await serving_.wait();
  absl::StatusOr<Taken> taken = co_await take(std::move(request), true);
  if (!taken.ok()) co_return count_refusal(taken.status());
  if (taken->job == nullptr) co_return std::move(taken->stored);
  co_return co_await admitted(taken->job);
}

Co<absl::StatusOr<JobView>> Engine::submit_and_wait(SubmitRequest request, bool detach) {
  if (!serving_.is_set()) co_await serving_.wait();
  absl::StatusOr<Taken> taken = co_await take(std::move(request), detach);
  if (!taken.ok()) co_return count_refusal(taken.status());
  if (taken->job == nullptr) {
    if (taken->stored->finished()) co_return std::move(taken->stored);
    std::string id = taken->stored->id();
    co_return co_await wait(std::move(id), absl::InfiniteFuture());
  }
  const JobRef job = taken->job;
  RunHold hold(*this, job);
  absl::StatusOr<JobView> view = co_await admitted(job);
  if (!view.ok()) co_return view;
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

Co<absl::StatusOr<Engine::Taken>> Engine::take(SubmitRequest request, bool detach) {
  if (absl::Status valid = check_request(request, limits_); !valid.ok()) co_return valid;
  RequestKey key = request_key(request);
  if (key.id.empty()) co_return take_new(std::move(request), std::move(key), detach);
  for (;;) {
    const auto known = by_request_.find(key.id);
    if (known != by_request_.end()) {
      Job& job = *known->second;
      if (absl::Status same = check_same(request, key, *job.spec); !same.ok()) {
        co_return same;
      }
      job.detached |= detach;
      co_return Taken{job.shared_from_this(), nullptr};
    }
    const auto enquiry = enquiries_.find(key.id);
    if (enquiry == enquiries_.end()) break;
    const std::shared_ptr<Event> answered = enquiry->second;
    co_await answered->wait();
  }
  Enquiry enquiry(*this, key.id);
  absl::StatusOr<JobView> earlier = JobView();
  if (!planted(PlantedBug::kForgetRequestIds)) {
    earlier = co_await store_.find_request(key.id);
  }
  if (!earlier.ok()) {
    co_return store_unavailable("the job was not accepted: looking for its request_id failed",
                                earlier.status(), limits_.retry_delay);
  }
  if (*earlier == nullptr) co_return take_new(std::move(request), std::move(key), detach);
  if (absl::Status same = check_same(request, key, *(*earlier)->spec); !same.ok()) {
    co_return same;
  }
  JobRef job = find_live((*earlier)->id());
  if (job == nullptr) co_return Taken{nullptr, Journal::as_waiting(*std::move(earlier))};
  job->detached |= detach;
  co_return Taken{std::move(job), nullptr};
}

absl::Status Engine::check_same(const SubmitRequest& request, const RequestKey& key,
                                const JobSpec& known) {
  if (known.fingerprint == key.fingerprint) return absl::OkStatus();
  return request_id_reused(request.request_id, known.id);
}

absl::StatusOr<Engine::Taken> Engine::take_new(SubmitRequest request, RequestKey key, bool detach) {
  if (drain_.begun) return draining();
  absl::StatusOr<PlanRef> planned = plan_of(request);
  if (!planned.ok()) return planned.status();
  const PlanRef plan = *std::move(planned);
  if (request.input.empty()) request.input = "{}";
  absl::StatusOr<JsonDocument> input = parse_input(*plan->pipeline, request.input, limits_.payload);
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
  spec->request_id = std::move(key.id);
  spec->fingerprint = key.fingerprint;
  spec->create_time = now;
  spec->deadline = now + request.timeout;

  const size_t bytes = bytes_of(*spec) + plan->bytes;
  if (absl::Status in = admission_.admit(bytes); !in.ok()) return in;
  auto job = std::make_shared<Job>();
  job->spec = std::move(spec);
  job->plan = plan;
  job->bytes = bytes;
  job->detached = detach;
  if (job->plan->needs_input) job->input = *std::move(input);
  journal_.created(*job);
  live_.emplace_hint(live_.end(), job->spec->id, job);
  know_request(*job);
  // A task of its own: whatever becomes of the client, what the store accepts must be queued.
  group_->spawn_named("store", &Engine::store_new, this, job);
  return Taken{std::move(job), nullptr};
}

void Engine::know_request(Job& job) {
  if (job.spec->request_id.empty()) return;
  // The key is the text of its own job, not of an earlier one that is being refused.
  by_request_.erase(job.spec->request_id);
  by_request_.emplace(job.spec->request_id, &job);
}

Co<absl::StatusOr<JobView>> Engine::admitted(JobRef job) {
  if (!job->stored.is_set()) {
    co_await job->stored.wait();
  }
  if (job->admission == JobAdmission::kRefused) co_return count_refusal(job->refusal);
  co_return journal_.view(*job);
}

Co<void> Engine::store_new(JobRef job) {
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

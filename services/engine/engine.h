// Engine, the conductor: takes jobs, queues them, runs their pipelines, and answers for them.
//
//   submit ─ checked, admitted, stored ─► PENDING ─► one coroutine per running job walks the
//   pipeline's graph, calls stages, gathers ─► result stored ─► waiters, watchers
//
// Every job's state lives on one loop's thread, so limits, cancel and deadlines are exact and there
// is not one lock. An engine is one shard: it never assumes that it is the only one. All calls on
// the loop's thread. It must outlive run(), and everything it was given must outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/async.h"
#include "services/engine/admission.h"
#include "services/engine/engine_limits.h"
#include "services/engine/engine_stats.h"
#include "services/engine/errors.h"
#include "services/engine/job.h"
#include "services/engine/job_ids.h"
#include "services/engine/journal.h"
#include "services/engine/pending_queue.h"
#include "services/engine/plan.h"
#include "services/engine/run_context.h"
#include "services/engine/submit_request.h"
#include "services/engine/watch.h"
#include "services/pipeline/pipeline_library.h"
#include "services/pipeline/stage_catalog.h"
#include "services/stages/stages.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata {

class Execution;

struct ListQuery {
  JobFilter filter;
  size_t page_size = 50;
  std::string page_token;
};

class Engine {
 public:
  // `catalog` checks inline pipelines; null: they are checked when they run.
  Engine(Loop& loop, JobStore& store, Stages& stages, const PipelineLibrary& pipelines,
         const Clock& clock, absl::BitGenRef random, const EngineLimits& limits,
         const StageCatalog* catalog = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Takes over what the store has unfinished, then serves until stop(); running jobs are its
  // children. Answers once they all have ended, or been left to the store. An error: the store
  // could not be read.
  Co<absl::Status> run();

  // Accepted means stored: an OK answer survives what the store survives.
  //   wakes when   the job is stored, or refused; errors: errors.h
  //   on cancel    waits for the store; a job that was accepted meanwhile runs
  //   on shutdown  refused DRAINING
  Co<absl::StatusOr<JobView>> submit(SubmitRequest request);

  // Submits and waits for the end. An error means refused; look at `state` for how it ended.
  //   on cancel    the job is cancelled when this was the last one to wait for it in this way,
  //                unless `detach`
  Co<absl::StatusOr<JobView>> submit_and_wait(SubmitRequest request, bool detach);

  // NOT_FOUND.
  Co<absl::StatusOr<JobView>> get(std::string id);

  // Newest first. INVALID_ARGUMENT for a bad page token.
  Co<absl::StatusOr<JobPage>> list(ListQuery query);

  // The job when it has ended, or as it is at `until`. NOT_FOUND.
  //   on cancel    at once; the job is not touched
  Co<absl::StatusOr<JobView>> wait(std::string id, absl::Time until);

  // After_sequence 0 begins with a SNAPSHOT. NOT_FOUND.
  Co<absl::StatusOr<Watch>> watch(std::string id, int64_t after_sequence);

  // Tells the job to stop and answers at once: CANCELLING, or as it is. Idempotent.
  // NOT_FOUND; FAILED_PRECONDITION when it has ended.
  Co<absl::StatusOr<JobView>> request_cancel(std::string id, CancelCause cause);

  // The same, and answers with the job when it has really stopped: no stage of it runs any more.
  //   on cancel    at once; the job goes on stopping
  Co<absl::StatusOr<JobView>> cancel(std::string id, CancelCause cause);

  // Forgets a finished job. NOT_FOUND; FAILED_PRECONDITION when it has not ended.
  Co<absl::Status> remove(std::string id);

  // From now on submits are refused with DRAINING. Jobs go on, queued ones too.
  void begin_drain();
  // True when no unfinished job is left, false at `until`.
  Co<bool> drained(absl::Time until);
  // Lets run() end. A job that the store keeps is left as it is there, and the next engine resumes
  // it; what would be lost with the process is cancelled (reason SHUTDOWN).
  void stop();

  // Wakes when the store's jobs have been taken over and submits are answered.
  Co<void> serving() { co_await serving_.wait(); }

  EngineStats stats() const;

 private:
  struct Taken {
    JobRef job;
    bool fresh;
  };
  // How a job ends.
  struct Ending {
    JobState state = JobState::kUnspecified;
    std::string reason;
    std::optional<JobError> error;
    std::shared_ptr<const std::string> result;
  };
  class RunHold;
  class RunningSlot;
  class ServeGuard;

  // Submit: engine_submit.cc.
  absl::StatusOr<Taken> take(SubmitRequest request);
  absl::StatusOr<PlanRef> plan_of(const SubmitRequest& request);
  absl::StatusOr<Taken> take_new(SubmitRequest request, PlanRef plan, uint64_t fingerprint);
  Co<absl::StatusOr<JobView>> admitted(JobRef job, bool fresh);
  Co<void> store_new(JobRef job);
  Co<absl::Status> commit(JobView record);
  void accept(Job& job);
  void refuse(Job& job, absl::Status why);
  absl::Status count_refusal(absl::Status why);

  // Opening: engine_recover.cc.
  Co<absl::Status> recover();
  Co<absl::Status> resume_page(std::string* after);
  Co<absl::Status> load_rest(std::string after);
  // As find_live; waits for a job that the store has and the engine has not yet taken over.
  Co<JobRef> find_loaded(std::string id);
  absl::StatusOr<PlanRef> plan_to_resume(const JobRecord& record);
  void resume(const JobView& record);
  // A stored job that cannot go on, and why.
  void fail_stored(const JobView& record, const absl::Status& why);
  Co<void> store_failed(JobView record);

  // Running: engine_run.cc.
  static Co<absl::Status> serve(TaskGroup& group, Engine* self);
  void enqueue(Job& job);
  void queue_up(Job& job);
  void dispatch();
  Co<void> run_job(JobRef job);
  Ending ending_of(const Job& job, const Execution& execution, const Outcome<void>& outcome);
  Co<void> finish(JobRef job, Ending ending);
  // Until the store has it; an error only when the engine stops first.
  Co<absl::Status> commit_final(JobView record);
  std::shared_ptr<const JobRecord> final_record(const Job& job, Ending ending);
  void conclude(Job& job, JobView record);
  Co<void> expire_pending();
  // The job leaves the queue without having run.
  void end_pending(Job& job, Ending ending);
  void stop_job(Job& job, CancelCause cause);
  // The engine stops: cancels the job, or leaves it to the next one when the store keeps it.
  void end_for_stop(Job& job);
  void unqueue(Job& job);
  void abandon();

  // Asking: engine_jobs.cc.
  // The store has it, unfinished, and this engine does not run it.
  absl::Status not_here(const std::string& id) const;
  JobRef find_live(std::string_view id) const;
  Co<absl::StatusOr<JobView>> get_stored(std::string id);
  Co<absl::StatusOr<JobView>> ended(JobRef job);
  JobPage list_live(const ListQuery& query);

  Loop& loop_;
  const EngineLimits limits_;
  JobStore& store_;
  const Clock& clock_;
  EngineStats stats_;
  JobIds ids_;
  Admission admission_;
  Journal journal_;
  PlanCache plans_;
  RunContext context_;
  PendingQueue pending_;

  // Every unfinished job, by id; the keys are the specs' own text.
  absl::btree_map<std::string_view, JobRef> live_;
  absl::flat_hash_map<std::string_view, Job*> by_request_;
  // Of queued jobs that have one; the earliest first.
  absl::btree_set<std::pair<absl::Time, std::string_view>> deadlines_;
  size_t running_ = 0;

  TaskGroup* group_ = nullptr;  // of run(), while it serves
  Event serving_;               // run() has begun
  Event loaded_;                // every job of the store has been taken over
  Event stop_requested_;
  Event deadlines_changed_;
  Event emptied_;  // pulsed when the last job has left
  bool draining_ = false;
  bool stopping_ = false;
};

}  // namespace fermata

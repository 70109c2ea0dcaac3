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
#include "absl/container/flat_hash_set.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/async.h"
#include "services/engine/admission.h"
#include "services/engine/backlog.h"
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

  // Serves until stop(); what the store has unfinished goes on, and running jobs are its children.
  // Answers once they all have ended, or been left to the store. An error: the store could not be
  // read at the start.
  Co<absl::Status> run();

  // Accepted means stored: an OK answer survives what the store survives.
  //   wakes when   the job is stored, or refused; errors: errors.h
  //   on cancel    at once; a job that is being stored and is accepted runs
  //   on shutdown  refused DRAINING
  Co<absl::StatusOr<JobView>> submit(SubmitRequest request);

  // Submits and waits for the end. An error means refused; look at `state` for how it ended.
  //   on cancel    the job is cancelled when this was the last one to wait for it in this way,
  //                unless `detach`
  //   on shutdown  DRAINING, naming the job, when the store keeps it and it goes on in the next
  //   life
  Co<absl::StatusOr<JobView>> submit_and_wait(SubmitRequest request, bool detach);

  // NOT_FOUND.
  Co<absl::StatusOr<JobView>> get(std::string id);

  // Newest first. INVALID_ARGUMENT for a bad page token.
  Co<absl::StatusOr<JobPage>> list(ListQuery query);

  // The job when it has ended, or as it is at `until`. NOT_FOUND.
  //   on cancel    at once; the job is not touched
  //   on shutdown  as submit_and_wait()
  Co<absl::StatusOr<JobView>> wait(std::string id, absl::Time until);

  // After_sequence 0 begins with a SNAPSHOT. NOT_FOUND.
  Co<absl::StatusOr<Watch>> watch(std::string id, int64_t after_sequence);

  // Tells the job to stop and answers at once: CANCELLING, or as it is. Idempotent.
  // NOT_FOUND; FAILED_PRECONDITION when it has ended; STORE_UNAVAILABLE when it is told, and the
  // store does not have that.
  Co<absl::StatusOr<JobView>> request_cancel(std::string id, CancelCause cause);

  // The same, and answers with the job when it has really stopped: no stage of it runs any more.
  //   on cancel    at once; the job goes on stopping
  Co<absl::StatusOr<JobView>> cancel(std::string id, CancelCause cause);

  // Forgets a finished job. NOT_FOUND; FAILED_PRECONDITION when it has not ended.
  Co<absl::Status> remove(std::string id);

  // From now on submits are refused with DRAINING. Running jobs go on, and queued ones that would
  // be lost with the process run. What the store keeps begins nothing that the next life can begin:
  // no job leaves its queue, and no stage with `if_lost: fail` is entered.
  void begin_drain();
  // True when nothing is left to wait for: no unfinished job, or, in a drain, none but those that
  // the next life begins or goes on with. False at `until`.
  Co<bool> drained(absl::Time until);
  // Lets run() end. A job that the store keeps is left as it is there, and the next engine resumes
  // it; what would be lost with the process is cancelled (reason SHUTDOWN).
  void stop();

  // Wakes when the store's jobs have been counted and submits are answered.
  Co<void> serving() { co_await serving_.wait(); }

  EngineStats stats() const;

 private:
  static constexpr size_t kForgetFrom = 1000;

  // The job of a request: one in memory, or a record of one that only the store has.
  struct Taken {
    JobRef job;
    JobView stored;
  };
  // How a job ends.
  struct Ending {
    JobState state = JobState::kUnspecified;
    std::string reason;
    std::optional<JobError> error;
    std::shared_ptr<const std::string> result;
  };
  class RunHold;
  class Enquiry;
  class RunningSlot;
  class ServeGuard;
  // While the store is asked about what waits in it; under asking_.
  class Reading {
   public:
    explicit Reading(Engine& engine) : engine_(engine) {
      FERMATA_CHECK(!engine_.asked_, "two questions at once about what waits in the store");
      engine_.asked_ = true;
      engine_.left_.clear();
    }
    Reading(const Reading&) = delete;
    ~Reading() { engine_.asked_ = false; }

   private:
    Engine& engine_;
  };

  // Submit: engine_submit.cc.
  // The job that the request has already made, or a new one. `detach`: it runs whoever leaves.
  Co<absl::StatusOr<Taken>> take(SubmitRequest request, bool detach);
  static absl::Status check_same(const SubmitRequest& request, const RequestKey& key,
                                 const JobSpec& known);
  absl::StatusOr<PlanRef> plan_of(const SubmitRequest& request);
  absl::StatusOr<Taken> take_new(SubmitRequest request, RequestKey key, bool detach);
  Co<absl::StatusOr<JobView>> admitted(JobRef job);
  Co<void> store_new(JobRef job);
  Co<absl::Status> commit(JobView record);
  void know_request(Job& job);
  void accept(Job& job);
  void refuse(Job& job, absl::Status why);
  absl::Status count_refusal(absl::Status why);

  // Opening: engine_recover.cc.
  Co<absl::Status> recover();
  absl::StatusOr<PlanRef> plan_to_resume(const JobRecord& record);
  // Makes a job of a stored one: PENDING, in the table, in no queue. One that cannot go on is
  // ending already.
  JobRef revive(const JobView& record);
  void fail_stored(Job& job, const JobRecord& record, std::string reason, JobError why);
  Co<void> store_failed(JobRef job, JobView record);

  // Pending jobs that only the store has: engine_backlog.cc.
  size_t lane_window() const;
  bool too_many_bytes() const { return admission_.bytes() > limits_.bytes / 2; }
  // An accepted job's way into memory, or behind its lane's horizon.
  void place(Job& job);
  // `fresh`: the job that came in, of which its client has an answer.
  void trim(const std::string& queue, const Job& fresh);
  // Fewer of the queue's jobs are in memory.
  void note_room(const std::string& queue);
  // Somebody but the table, and `mine` references, has the job.
  static bool asked_for(const Job& job, long mine);
  void forget(Job& job);
  void forget_unasked();
  // As find_live; reads a job that only the store has.
  Co<JobRef> find(std::string id);
  // Parks a stored job; null: it is not one that waits in the store.
  JobRef park(const JobView& record);
  Co<absl::Status> refill();
  Co<absl::Status> read_lane(std::string queue);
  void take_page(const std::string& queue, const LanePage& page);
  void take_held(Backlog::Lane& lane);
  void take_waiting(const JobView& record);
  Co<absl::Status> expire_stored();
  // What is due, at most a page; `next` is when to look again.
  Co<absl::StatusOr<std::vector<JobRef>>> read_due(absl::Time* next);
  Co<void> note_read(absl::Status read, absl::Duration* delay);

  // Running: engine_run.cc.
  static Co<absl::Status> serve(TaskGroup& group, Engine* self);
  void enqueue(Job& job);
  void queue_up(Job& job);
  void watch_deadline(const Job& job);
  void dispatch();
  bool may_begin(const Job& job) const;
  // As drained() says it.
  bool at_rest() const;
  void note_rest();
  Co<void> run_job(JobRef job);
  Ending ending_of(const Job& job, const Execution& execution, const Outcome<void>& outcome);
  Co<void> finish(JobRef job, Ending ending);
  // Until the store has it. An error only when the engine stops first, or OUT_OF_RANGE for a result
  // that is too large for the store.
  Co<absl::Status> commit_final(JobRef job, JobView record);
  std::shared_ptr<const JobRecord> final_record(const Job& job, Ending ending);
  // The job has ended, and the store has that.
  void conclude(Job& job, JobView record);
  // It has not, and this engine does nothing more for it.
  void leave(Job& job);
  void let_go(Job& job);
  Co<void> expire_pending();
  static Ending expired();
  static Ending too_large(const absl::Status& why);
  // The job ends without having run.
  void end_pending(Job& job, Ending ending);
  void cancel_pending(Job& job, CancelCause cause);
  void stop_job(Job& job, CancelCause cause);
  // The engine stops: cancels the job, or leaves it to the next one when the store keeps it.
  void end_for_stop(Job& job);
  void unqueue(Job& job);
  void left_memory(const Job& job);
  void abandon();

  // Asking: engine_jobs.cc.
  // The store has it, unfinished, and this engine does not run it.
  absl::Status not_here(const std::string& id) const;
  JobRef find_live(std::string_view id) const;
  size_t unfinished() const { return live_.size() + backlog_.absent(); }
  Co<absl::StatusOr<JobView>> get_stored(std::string id);
  Co<absl::StatusOr<JobView>> ended(JobRef job);
  // What those are told who waited until the job was over.
  absl::StatusOr<JobView> end_of(Job& job);
  absl::Status cancel_not_stored(const Job& job, const absl::Status& why) const;
  JobPage list_live(const ListQuery& query);
  // Unfinished jobs that only the store has.
  Co<absl::StatusOr<JobPage>> list_waiting(ListQuery query);

  Loop& loop_;
  const EngineLimits limits_;
  JobStore& store_;
  const Clock& clock_;
  EngineStats stats_;
  JobIds ids_;
  Admission admission_;
  Journal journal_;
  PlanCache plans_;
  DrainState drain_;
  RunContext context_;
  PendingQueue pending_;
  Backlog backlog_;

  // Every unfinished job in memory, by id; the keys are the specs' own text.
  absl::btree_map<std::string_view, JobRef> live_;
  absl::flat_hash_map<std::string_view, Job*> by_request_;
  // Request ids that the store is asked about; set when it has answered.
  absl::flat_hash_map<std::string, std::shared_ptr<Event>> enquiries_;
  // Of queued jobs that have one; the earliest first.
  absl::btree_set<std::pair<absl::Time, std::string_view>> deadlines_;
  size_t running_ = 0;

  TaskGroup* group_ = nullptr;  // of run(), while it serves
  Event serving_;               // run() has begun
  Event stop_requested_;
  Event deadlines_changed_;
  Event rested_;  // pulsed when the last job has left, or the last that a drain waits for
  bool stopping_ = false;

  // One question at a time about what waits in the store, so that an answer is not used when it is
  // out of date: `left_` has the jobs that have ended since it was asked.
  Lock asking_;
  bool asked_ = false;
  absl::flat_hash_set<std::string> left_;
  Event refill_wanted_;
  Event due_changed_;
  absl::Time next_due_ = absl::InfiniteFuture();  // no job behind a horizon is due before
  size_t forget_at_;                              // so many are parked
  JobKey last_of_earlier_life_ = -1;
};

}  // namespace fermata

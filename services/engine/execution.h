// Execution: one job's way through its pipeline.
//
//   run() ── chain:  stage, stage, stage, in this coroutine
//         └─ graph:  with_group; walk(stage) starts what became ready, goes on with one of it
//                      └─ run_stage ── one call, or FanOut's workers ── run_call: attempts
//
// A stage starts as soon as everything it waits for is done. The first failure cancels the rest,
// and is what the job fails with. Cancelling means destroying these frames, so every count that
// must be given back is held by a guard. Lives in Engine::run_job's frame.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/async/async.h"
#include "services/engine/job.h"
#include "services/engine/run_context.h"
#include "services/engine/stage_output.h"
#include "services/pipeline/template.h"

namespace fermata {

// Why a job fails: the reason of its record, and its error.
struct Failure {
  std::string reason;
  JobError error;
};

class Execution {
 public:
  Execution(Job& job, RunContext& context);
  Execution(const Execution&) = delete;

  // Wakes when the pipeline has ended, well or not. On cancel: when every stage has let go; then
  // neither result nor failure is set. On shutdown: likewise.
  Co<void> run();

  const std::shared_ptr<const std::string>& result() const { return result_; }
  const std::optional<Failure>& failure() const { return failure_; }

  // ---- for the runs of its stages ---------------------------------------------------------------
  Job& job() { return job_; }
  RunContext& context() { return context_; }
  const Plan& plan() const { return *job_.plan; }
  // What references see; `item` may be null.
  EvalContext values(const JsonValue* item, size_t index) const;
  // The input of one call of a stage, as JSON text.
  absl::StatusOr<std::string> call_input(int stage, const JsonValue* item, size_t index) const;
  // Notes why the job fails, unless that is known already. Gives a status to end a coroutine with.
  absl::Status fail(std::string_view reason, const absl::Status& why, int stage = -1,
                    int attempts = 0);
  // Around an attempt of a stage with `if_lost: fail`, or all attempts of one with `each`: wakes
  // when the store has that its code may be entered from now on, and not before, however long the
  // store refuses. In a drain it does not begin any more, as it may not end in time and would be
  // lost: it waits for the engine's stop. On cancel: at once, but for a commit that is under way.
  // OUT_OF_RANGE: the job has become larger than the store can keep.
  Co<absl::Status> note_begun(int stage);
  // The attempt ended by itself and another one follows: after a crash it may. Best effort.
  Co<void> note_ended(int stage);
  // How often a plugin's process died in a call of this job.
  int& crashes() { return crashes_; }
  // Takes memory for an output.
  bool charge(size_t bytes);

  // Coroutines that make calls, and how many of them wait for their next attempt: when all do, the
  // job is BACKING_OFF.
  void callers_changed(int active, int sleeping);

 private:
  class Held;
  // Waits for the cancel.
  Co<void> hold();
  // The job is held when every walk through its graph is.
  void note_held();
  static Co<absl::Status> start(TaskGroup& group, Execution* self);
  static Co<absl::Status> walk(TaskGroup* group, Execution* self, int stage);
  Co<absl::Status> run_stage(int stage);
  Co<absl::Status> run_calls(int stage);
  Co<absl::Status> save(bool synced);
  Co<absl::Status> run_chain();

  absl::Status read_input();
  // Takes over the outputs of stages that an earlier run has finished.
  absl::Status restore();
  bool done(int stage) const;
  bool skipped(int stage);
  absl::Status check_items(int stage, const JsonValue& items);
  void keep(int stage, StageOutput output);
  // One stage that may start now that `stage` is done, or -1; the others are spawned.
  int release_dependents(TaskGroup* group, int stage);
  void make_result();

  Job& job_;
  RunContext& context_;
  std::vector<StageOutput> outputs_;
  std::vector<const JsonValue*> values_;  // of outputs_, null for a stage without one
  const JsonValue null_;
  std::vector<int> waits_for_;
  size_t unfinished_;
  int crashes_ = 0;
  int walks_ = 0;
  int held_walks_ = 0;
  bool held_ = false;
  int active_callers_ = 0;
  int sleeping_callers_ = 0;
  std::shared_ptr<const std::string> result_;
  std::optional<Failure> failure_;
};

// While one exists, a coroutine makes calls.
class ActiveCaller {
 public:
  explicit ActiveCaller(Execution& execution) : execution_(execution) {
    execution_.callers_changed(+1, 0);
  }
  ActiveCaller(const ActiveCaller&) = delete;
  ~ActiveCaller() { execution_.callers_changed(-1, 0); }

 private:
  Execution& execution_;
};

}  // namespace fermata

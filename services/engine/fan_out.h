// FanOut: one stage with `each`, called once per item, at most `parallel` at a time.
//
//   workers (min(parallel, items)) ── take the next item ── run_call ── count ── again
//
//   all      the first failure cancels the rest and fails the stage
//   settled  never fails; failures become {"error": ...} in their place
//   first    the first success cancels the rest; fails once no item can succeed any more
//   quorum   the same, with n successes
//
// A cancelled call is joined before the stage ends: no loser runs on. Work and memory are linear in
// the number of items. Lives in the frame of the stage's coroutine.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "services/async/async.h"
#include "services/engine/execution.h"
#include "services/engine/stage_output.h"

namespace fermata {

class FanOut {
 public:
  // `items` is an array and outlives this.
  FanOut(Execution& execution, int stage, StageRef ref, const JsonValue& items);
  FanOut(const FanOut&) = delete;

  // The error is that of the stage, already noted in the execution.
  Co<absl::Status> run();
  // After run() answered ok. The error is that of the stage, as above.
  absl::StatusOr<StageOutput> take_output();

 private:
  static constexpr int kCallsPerStep = 64;

  static Co<absl::Status> start(TaskGroup& group, FanOut* self);
  static Co<absl::Status> work(TaskGroup* group, FanOut* self);
  // Ok: go on.
  absl::Status settle(size_t index, CallResult result);
  absl::Status fail(size_t index, const CallResult& result);
  bool complete() const { return succeeded_ == wanted_; }

  Execution& execution_;
  const int stage_;
  const StageRef ref_;
  const JsonValue& items_;
  const PipelineStage& step_;
  const size_t count_;
  size_t wanted_;    // successes after which the others are not needed; never reached: all, settled
  size_t next_ = 0;  // item to be called
  size_t succeeded_ = 0;
  size_t failed_ = 0;
  std::vector<std::optional<CallResult>> results_;
};

}  // namespace fermata

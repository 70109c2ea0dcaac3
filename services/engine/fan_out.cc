#include "services/engine/fan_out.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "services/config/str_cat.h"
#include "services/engine/stage_call.h"

namespace fermata {
namespace {

size_t wanted_of(const PipelineStage& step) {
  if (step.gather == GatherMode::kFirst) return 1;
  if (step.gather == GatherMode::kQuorum) return static_cast<size_t>(step.quorum);
  return std::numeric_limits<size_t>::max();
}

}  // namespace

FanOut::FanOut(Execution& execution, int stage, StageRef ref, const JsonValue& items)
    : execution_(execution),
      stage_(stage),
      ref_(std::move(ref)),
      items_(items),
      step_(execution.plan().stage(stage)),
      count_(items.Size()),
      wanted_(wanted_of(step_)),
      results_(count_) {}

Co<absl::Status> FanOut::run() {
  const bool counts = wanted_ != std::numeric_limits<size_t>::max();
  if (counts && wanted_ > count_) {
    const absl::Status too_few = absl::FailedPreconditionError(
        str_cat("`each` gave ", count_, " items, and gather needs ", wanted_, " to succeed"));
    co_return execution_.fail("STAGE_FAILED", too_few, stage_);
  }
  co_return co_await with_group(&FanOut::start, this);
}

Co<absl::Status> FanOut::start(TaskGroup& group, FanOut* self) {
  const size_t workers = std::min(self->count_, static_cast<size_t>(self->step_.parallel));
  for (size_t i = 0; i < workers; ++i) group.spawn(&FanOut::work, &group, self);
  co_return absl::OkStatus();
}

Co<absl::Status> FanOut::work(TaskGroup* group, FanOut* self) {
  ActiveCaller active(self->execution_);
  for (int calls = 1; self->next_ < self->count_; ++calls) {
    const size_t index = self->next_++;
    const JsonValue& item = self->items_[static_cast<rapidjson::SizeType>(index)];
    CallResult result = co_await run_call(self->execution_, self->stage_, self->ref_, &item, index);
    absl::Status status = self->settle(index, std::move(result));
    if (!status.ok()) co_return status;
    if (self->complete()) {
      group->cancel(CancelReason::kSiblingFailed);
      co_return absl::OkStatus();
    }
    // Calls that never wait must not keep the loop from everybody else.
    if (calls % kCallsPerStep == 0) co_await yield_now();
  }
  co_return absl::OkStatus();
}

absl::Status FanOut::settle(size_t index, CallResult result) {
  if (complete()) return absl::OkStatus();  // it ended together with the one that was enough
  Job& job = execution_.job();
  StageProgress& progress = execution_.context().journal.stage(job, stage_);
  ++progress.done;
  const bool ok = result.status.ok();
  if (ok) {
    ++succeeded_;
  } else {
    ++failed_;
    ++progress.failed;
  }
  execution_.context().journal.stage_moved(job, stage_);
  if (!ok && step_.gather == GatherMode::kAll) return fail(index, result);
  const bool counts = wanted_ != std::numeric_limits<size_t>::max();
  if (counts && !ok && count_ - failed_ < wanted_) return fail(index, result);
  results_[index] = std::move(result);
  return absl::OkStatus();
}

absl::Status FanOut::fail(size_t index, const CallResult& result) {
  std::string message = str_cat("item ", index, ": ", std::string(result.status.message()));
  if (step_.gather != GatherMode::kAll) {
    message = str_cat(failed_, " of ", count_, " items failed, and gather needs ", wanted_,
                      " to succeed; the last failure was ", message);
  }
  return execution_.fail(result.reason, absl::Status(result.status.code(), message), stage_,
                         result.attempts);
}

absl::StatusOr<StageOutput> FanOut::take_output() {
  const bool wants_value = execution_.plan().stages[static_cast<size_t>(stage_)].needs_value;
  const bool only_good = step_.gather == GatherMode::kFirst || step_.gather == GatherMode::kQuorum;
  std::vector<CallResult> results;
  results.reserve(count_);
  for (std::optional<CallResult>& result : results_) {
    if (!result.has_value() || (only_good && !result->status.ok())) continue;
    results.push_back(*std::move(result));
  }
  if (step_.gather == GatherMode::kFirst) return StageOutput::of_one(std::move(results.at(0)));
  const size_t bytes_max = execution_.context().limits.output;
  absl::StatusOr<StageOutput> all =
      StageOutput::of_many(std::move(results), wants_value, bytes_max);
  if (!all.ok()) return execution_.fail("OUTPUT_TOO_LARGE", all.status(), stage_);
  return all;
}

}  // namespace fermata

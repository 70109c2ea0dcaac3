#include "services/stages/stage_attempt.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/async.h"
#include "services/stages/call_awaiter.h"
#include "services/stages/input_check.h"
#include "services/stages/stage_instance.h"

namespace fermata {
namespace {

// Checking a larger input would hold the loop: about a millisecond.
constexpr size_t kCheckedOnTheLoop = size_t{128} << 10;

absl::StatusOr<std::string> check_input(std::shared_ptr<const JsonSchema> schema,
                                        std::string input) {
  return check_json(schema.get(), std::move(input));
}

StageOutcome closing(const StageInfo& stage, const std::string& label) {
  StageOutcome outcome;
  outcome.status = absl::UnavailableError(absl::StrCat(stage.use, ": the server is shutting down"));
  outcome.retryable = true;
  outcome.version = label;
  return outcome;
}

StageOutcome bad_input(PluginGeneration& generation, size_t stage, const absl::Status& why) {
  generation.series(stage).counters->reject();
  StageOutcome outcome;
  outcome.status = absl::Status(
      why.code(), absl::StrCat("input of ", generation.stages()[stage].use, ": ", why.message()));
  outcome.version = generation.label();
  return outcome;
}

// Everything but the input.
StageCallSpec spec_of(HostContext& host, StageRequest& request) {
  return {
      .job_id = std::move(request.job_id),
      .trace_parent = {},
      .input = {},
      .deadline_ns = request.deadline == absl::InfiniteFuture() ? TimerHeap::kNever
                                                                : host.loop.to_ns(request.deadline),
      .attempt = request.attempt,
      .root = ++host.attempts,
      .probe = request.probe,
      .observer = request.observer,
      .hold = {},
  };
}

Co<StageOutcome> attempt(CallHold hold, size_t stage, StageCallSpec spec, std::string input) {
  PluginGeneration* const generation = hold.generation();
  if (!generation->open()) co_return closing(generation->stages()[stage], generation->label());
  if (spec.observer != nullptr) spec.observer->began(generation->label());
  Callee& callee = *generation->callee(stage);
  if (const std::shared_ptr<const JsonSchema> schema = callee.input_schema();
      schema != nullptr && !spec.probe) {
    absl::StatusOr<std::string> checked;
    if (input.size() <= kCheckedOnTheLoop) {
      checked = check_input(schema, std::move(input));
    } else {
      checked = co_await offload(&check_input, schema, std::move(input));
    }
    if (!checked.ok()) co_return bad_input(*generation, stage, checked.status());
    if (!generation->open()) co_return closing(generation->stages()[stage], generation->label());
    input = *std::move(checked);
  }
  spec.input = Buffer(std::move(input));
  CallAwaiter call(callee, std::move(spec));
  StageOutcome& outcome = co_await call;
  hold.note(outcome);
  co_return std::move(outcome);
}

}  // namespace

Co<StageOutcome> attempt_stage(PluginGeneration& generation, HostContext& host, size_t stage,
                               StageRequest&& request) {
  return attempt(CallHold(generation), stage, spec_of(host, request), std::move(request.input));
}

}  // namespace fermata

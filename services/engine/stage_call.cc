#include "services/engine/stage_call.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/config/str_cat.h"
#include "services/engine/attempt_policy.h"

namespace fermata {
namespace {

// Counts a call while it lasts, however it ends.
class CountedCall {
 public:
  explicit CountedCall(StageStats& stats) : stats_(stats) { ++stats_.in_flight; }
  CountedCall(const CountedCall&) = delete;
  ~CountedCall() { --stats_.in_flight; }

 private:
  StageStats& stats_;
};

class SleepingCall {
 public:
  explicit SleepingCall(Execution& execution) : execution_(execution) {
    execution_.callers_changed(0, +1);
  }
  SleepingCall(const SleepingCall&) = delete;
  ~SleepingCall() { execution_.callers_changed(0, -1); }

 private:
  Execution& execution_;
};

// Counts an attempt when it is over: as cancelled, unless told otherwise.
class CountedAttempt {
 public:
  explicit CountedAttempt(StageStats& stats) : stats_(stats) {}
  CountedAttempt(const CountedAttempt&) = delete;
  ~CountedAttempt() { ++stats_.attempts[static_cast<size_t>(result_)]; }
  void ended(AttemptResult result) { result_ = result; }

 private:
  StageStats& stats_;
  AttemptResult result_ = AttemptResult::kCancelled;
};

class Observer final : public StageObserver {
 public:
  Observer(Execution& execution, int stage) : execution_(execution), stage_(stage) {}
  void began(std::string_view version) override {
    execution_.context().journal.ran_by(execution_.job(), stage_, version);
  }
  void progress(double fraction, std::string_view note) override {
    execution_.context().journal.progress(execution_.job(), stage_, fraction, note);
  }
  void log(StageLogLevel level, std::string_view message) override {
    execution_.context().journal.log(execution_.job(), stage_, level, message);
  }

 private:
  Execution& execution_;
  const int stage_;
};

CallResult& failed(CallResult& result, std::string_view reason, absl::Status why) {
  result.reason = reason;
  result.status = std::move(why);
  return result;
}

// Says what may have happened, and what can be done about it.
absl::Status lost(const absl::Status& how, IfLost if_lost) {
  const std::string_view text(how.message().data(), how.message().size());
  const std::string_view why =
      if_lost == IfLost::kFail ? "it has `if_lost: fail`" : "it does not say that it may run twice";
  return absl::Status(
      how.code(), str_cat(text, "; it had begun and may have done its work, and ", why,
                          ", so it is not run again: look at what it did, then submit the job once "
                          "more, or give the stage `if_lost: retry` if it may run twice"));
}

// Takes over what the stage gave, or says what is wrong with it.
void accept_output(Execution& execution, int stage, Buffer output, CallResult& result) {
  if (output.empty()) output = Buffer(std::string("null"));
  const size_t max = execution.context().limits.output;
  if (output.size() > max) {
    failed(result, "OUTPUT_TOO_LARGE",
           absl::ResourceExhaustedError(
               str_cat("the output has ", output.size(), " bytes, more than the limit of ", max)));
    return;
  }
  JsonLimits limits;
  limits.bytes = max;
  absl::StatusOr<JsonDocument> value = parse_json(output.view(), limits);
  if (!value.ok()) {
    failed(result, "OUTPUT_INVALID",
           absl::InternalError(
               str_cat("the stage's output is not JSON: ", std::string(value.status().message()))));
    return;
  }
  if (!execution.charge(output.size())) {
    failed(result, "TOO_MANY_BYTES",
           absl::ResourceExhaustedError(str_cat(
               "no room for an output of ", output.size(),
               " bytes: limits.bytes is reached by all unfinished jobs together; try again later, "
               "or let the stage return less")));
    return;
  }
  if (execution.plan().stages[static_cast<size_t>(stage)].needs_value) {
    result.value = *std::move(value);
  }
  result.output = std::move(output);
  result.status = absl::OkStatus();
}

// What the stage said, or that it was stopped because it took too long.
StageOutcome outcome_of(absl::StatusOr<StageOutcome> outcome, absl::Duration timeout,
                        CallResult& result) {
  if (outcome.ok()) {
    result.reason = "STAGE_FAILED";
    return *std::move(outcome);
  }
  StageOutcome late;
  late.status = absl::DeadlineExceededError(
      str_cat("timed out: the attempt took longer than ", absl::FormatDuration(timeout)));
  late.retryable = true;
  result.reason = "STAGE_TIMED_OUT";
  return late;
}

}  // namespace

Co<CallResult> run_call(Execution& execution, int stage, StageRef ref, const JsonValue* item,
                        size_t index) {
  const PipelineStage& step = execution.plan().stage(stage);
  StageStats& stats = *execution.plan().stages[static_cast<size_t>(stage)].stats;
  RunContext& context = execution.context();
  const absl::Time job_deadline = execution.job().spec->deadline;
  AttemptPolicy policy(step.retry, step.if_lost, job_deadline, execution.crashes());
  // With `each` the whole stage has begun already.
  const bool once = step.if_lost == IfLost::kFail && item == nullptr;
  CallResult result;
  CountedCall counted(stats);
  Observer observer(execution, stage);
  for (;;) {
    absl::StatusOr<std::string> input = execution.call_input(stage, item, index);
    if (!input.ok()) co_return std::move(failed(result, "REFERENCE_FAILED", input.status()));
    if (once) {
      absl::Status begun = co_await execution.note_begun(stage);
      if (!begun.ok()) co_return std::move(failed(result, "OUTPUT_TOO_LARGE", begun));
    }
    ++result.attempts;
    StageRequest request;
    request.job_id = execution.job().spec->id;
    request.attempt = static_cast<uint32_t>(result.attempts);
    request.deadline = std::min(context.clock.now() + step.timeout, job_deadline);
    request.input = *std::move(input);
    request.observer = &observer;
    StageOutcome outcome;
    absl::Duration delay;
    {
      CountedAttempt attempt(stats);
      absl::StatusOr<StageOutcome> got =
          co_await timeout(step.timeout, context.stages.call(ref, std::move(request)));
      const bool late = !got.ok();
      outcome = outcome_of(std::move(got), step.timeout, result);
      if (outcome.status.ok()) {
        attempt.ended(AttemptResult::kOk);
        accept_output(execution, stage, std::move(outcome.output), result);
        if (!result.status.ok()) attempt.ended(AttemptResult::kFailed);
        co_return result;
      }
      result.status = outcome.status;
      const AttemptPolicy::Verdict next =
          policy.after(outcome, result.attempts, context.clock.now(), context.random);
      if (!next.reason.empty()) result.reason = next.reason;
      attempt.ended(late         ? AttemptResult::kTimedOut
                    : next.again ? AttemptResult::kRetried
                                 : AttemptResult::kFailed);
      if (next.reason == "STAGE_LOST") result.status = lost(result.status, step.if_lost);
      if (!next.again) co_return result;
      if (next.free) --result.attempts;
      delay = next.delay;
    }
    context.journal.retry(execution.job(), stage, result.status);
    if (once) co_await execution.note_ended(stage);
    SleepingCall sleeping(execution);
    co_await sleep(delay);
  }
}

}  // namespace fermata

// How a call ended, in the engine's words.
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/stage_call.h"
#include "services/stages/stage_instance.h"

namespace fermata {
namespace {

absl::StatusCode default_code(fermata_status status) {
  switch (status) {
    case FERMATA_E_CANCELLED:
      return absl::StatusCode::kCancelled;
    case FERMATA_E_DEADLINE:
      return absl::StatusCode::kDeadlineExceeded;
    case FERMATA_E_INVALID:
      return absl::StatusCode::kInvalidArgument;
    case FERMATA_E_TRANSIENT:
      return absl::StatusCode::kAborted;
    case FERMATA_E_UNAVAILABLE:
    case FERMATA_E_LOST:
      return absl::StatusCode::kUnavailable;
    case FERMATA_E_NOMEM:
      return absl::StatusCode::kResourceExhausted;
    case FERMATA_E_UNSUPPORTED:
      return absl::StatusCode::kUnimplemented;
    default:
      return absl::StatusCode::kInternal;
  }
}

bool retryable(fermata_status status) {
  switch (status) {
    case FERMATA_E_TRANSIENT:
    case FERMATA_E_UNAVAILABLE:
    case FERMATA_E_DEADLINE:
    case FERMATA_E_NOMEM:
    case FERMATA_E_LOST:
      return true;
    default:
      return false;
  }
}

}  // namespace

StageResult StageCall::result() const noexcept {
  if (abandoned_) return StageResult::kAbandoned;
  if (flooded_) return StageResult::kInvalid;
  switch (status_) {
    case FERMATA_OK:
      return StageResult::kOk;
    case FERMATA_E_CANCELLED:
      return cancel_reason() == FERMATA_CANCEL_DEADLINE ? StageResult::kDeadline
                                                        : StageResult::kCancelled;
    case FERMATA_E_DEADLINE:
      return StageResult::kDeadline;
    case FERMATA_E_INVALID:
    case FERMATA_E_UNSUPPORTED:
      return StageResult::kInvalid;
    case FERMATA_E_TRANSIENT:
    case FERMATA_E_NOMEM:
      return StageResult::kTransient;
    case FERMATA_E_UNAVAILABLE:
    case FERMATA_E_LOST:
      return StageResult::kUnavailable;
    default:
      return StageResult::kInternal;
  }
}

absl::Status StageCall::absl_status() const {
  const std::string& use = instance_.stage().info().use;
  if (flooded_) {
    return absl::ResourceExhaustedError(absl::StrCat(use, ": its output has ", chunk_bytes_,
                                                     " bytes or more, this server takes at most ",
                                                     instance_.host().payload_max));
  }
  if (abandoned_ && state_of_call_ != State::kFinished) {
    const bool deadline = cancel_reason() == FERMATA_CANCEL_DEADLINE;
    return absl::Status(
        deadline ? absl::StatusCode::kDeadlineExceeded : absl::StatusCode::kCancelled,
        absl::StrCat(use, " was cancelled and did not let go within the grace period"));
  }
  if (status_ == FERMATA_OK) return absl::OkStatus();
  if (status_ == FERMATA_E_CANCELLED && cancel_reason() == FERMATA_CANCEL_DEADLINE) {
    return absl::DeadlineExceededError(absl::StrCat(use, ": deadline exceeded"));
  }
  absl::StatusCode code = default_code(status_);
  if (failure_.code > 0 && failure_.code <= 16) code = static_cast<absl::StatusCode>(failure_.code);
  if (!failure_.message.empty()) return absl::Status(code, failure_.message);
  return absl::Status(code, absl::StrCat(use, " returned ", absl_view(abi_status_name(status_)),
                                         " and gave no reason"));
}

void StageCall::take_outcome(StageOutcome& outcome) {
  tell_outcome(outcome);
  if (!outcome.status.ok()) return;
  // An output is JSON text; a stage that emits none has nothing to say.
  outcome.output = output_.empty() ? Buffer(std::string("null")) : std::move(output_);
}

void StageCall::tell_outcome(StageOutcome& outcome) const {
  if (status_ != FERMATA_OK || flooded_ || abandoned_) outcome.status = absl_status();
  outcome.version = instance_.generation().label();
  if (outcome.status.ok()) return;
  outcome.preempted = preempted_;
  // Only the host knows what becomes of a process: a stage can pass on that one below it died.
  if (lost_below_ && (status_ == FERMATA_E_LOST || status_ == FERMATA_E_UNAVAILABLE)) {
    const bool again = instance_.stage().info().idempotent;
    outcome.lost = crashed_below_ || again;
    outcome.lost_below = outcome.lost;
    if (!crashed_below_ && again) outcome.preempted = true;  // another job's call killed it
  }
  outcome.retryable = (absl::IsDeadlineExceeded(outcome.status) || retryable(status_)) &&
                      !(outcome.lost && unsafe_below_) && !flooded_;
  constexpr uint64_t kLongestWaitNs = uint64_t{30} * 24 * 3600 * 1'000'000'000;
  outcome.retry_after =
      absl::Nanoseconds(static_cast<int64_t>(std::min(failure_.retry_after_ns, kLongestWaitNs)));
}

}  // namespace fermata

#include "services/stages/isolated/remote_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/stages/absl_view.h"
#include "services/stages/call_stage_op.h"
#include "services/stages/isolated/isolated_plugin.h"
#include "services/stages/isolated/payload.h"

namespace fermata {

RemoteCall::RemoteCall(RemoteStage& stage, Owner& owner, StageCallSpec spec)
    : stage_(stage), owner_(&owner), spec_(std::move(spec)) {}

// ---- for whoever waits ------------------------------------------------------------------------

void RemoteCall::start_later() noexcept { arm(stage_.plugin().loop().now_ns()); }

void RemoteCall::start_now() noexcept {
  FERMATA_CHECK(state_ == State::kNew, "a call was started twice");
  IsolatedPlugin& plugin = stage_.plugin();
  state_ = State::kWaiting;
  started_ns_ = plugin.loop().now_ns();
  stage_.counters().begin(spec_.input.size());
  counted_ = true;
  if (cancel_reason_ != 0) {
    tell_cancelled();
    plugin.forget(*this);
    return;
  }
  if (plugin.ready()) {
    send_start();
  } else if (!plugin.coming()) {
    no_process(plugin.wait_ns());
  } else if (spec_.deadline_ns != TimerHeap::kNever) {
    arm(spec_.deadline_ns);
  }
}

void RemoteCall::cancel(uint32_t reason) noexcept {
  if (cancel_reason_ != 0) return;
  cancel_reason_ = reason;
  if (state_ == State::kRunning) {
    PayloadWriter payload;
    stage_.plugin().send(FrameType::kCancel, number(), payload.put(reason).take());
    watch_over_end();
  } else if (state_ == State::kWaiting) {
    arm(stage_.plugin().loop().now_ns());  // its owner may be in the middle of something
  }
}

void RemoteCall::disown(uint32_t reason) noexcept {
  owner_ = nullptr;
  spec_.observer = nullptr;
  spec_.parent = nullptr;
  if (state_ == State::kRunning) {
    cancel(reason);
    return;
  }
  if (state_ == State::kOver) return;
  if (counted_) tell(FERMATA_E_CANCELLED, StageResult::kCancelled, {});
  stage_.plugin().forget(*this);
}

// ---- for the plugin ---------------------------------------------------------------------------

void RemoteCall::send_start() {
  state_ = State::kRunning;
  timer_.disarm();
  StartMessage start;
  start.stage = stage_.index();
  start.wants_chunks = spec_.observer != nullptr || spec_.parent != nullptr;
  // The input is borrowed for the moment: the message copies it into the frame.
  start.spec.attempt = spec_.attempt;
  start.spec.depth = spec_.depth;
  start.spec.deadline_ns = spec_.deadline_ns;
  start.spec.job_id = spec_.job_id;
  start.spec.trace_parent = spec_.trace_parent;
  start.spec.input = std::move(spec_.input);
  stage_.plugin().send(FrameType::kStart, number(), start.encode());
}

void RemoteCall::process_ready() {
  if (state_ == State::kWaiting && cancel_reason_ == 0) send_start();
}

void RemoteCall::no_process(int64_t wait_ns) {
  if (state_ != State::kWaiting) return;
  StageOutcome outcome;
  outcome.status = absl::UnavailableError(stage_.plugin().unavailable_text(stage_.info().use));
  outcome.retryable = true;
  outcome.preempted = true;
  outcome.unstarted = true;
  outcome.retry_after = absl::Nanoseconds(wait_ns);
  tell(FERMATA_E_UNAVAILABLE, StageResult::kUnavailable, std::move(outcome));
  stage_.plugin().forget(*this);
}

void RemoteCall::finished(EndMessage end) {
  if (end.outcome.output.size() > stage_.plugin().payload_max()) {
    too_much(end.outcome.output.size());
  } else {
    // Its process said so, so it lives: what died was below.
    end.outcome.lost_below = end.outcome.lost;
    if (preempted_ && end.status == FERMATA_E_CANCELLED) end.outcome.preempted = true;
    tell(end.status, end.result, std::move(end.outcome));
  }
  stage_.plugin().forget(*this);
}

void RemoteCall::chunk(std::string_view bytes) {
  if (state_ != State::kRunning) return;
  chunk_bytes_ += bytes.size();
  if (chunk_bytes_ > stage_.plugin().payload_max()) {
    too_much(chunk_bytes_);
    cancel(FERMATA_CANCEL_REQUESTED);
    state_ = State::kOver;
    return;
  }
  ++stage_.counters().chunks;
  const Buffer chunk = Buffer::copy_of(bytes);
  if (spec_.observer != nullptr) spec_.observer->chunk(chunk);
  if (spec_.parent != nullptr && owner_ != nullptr) spec_.parent->chunk(chunk);
  PayloadWriter credit;
  stage_.plugin().send(FrameType::kCredit, number(), credit.put(uint32_t{1}).take());
}

void RemoteCall::progress(const ProgressMessage& progress) {
  if (spec_.observer != nullptr) spec_.observer->progress(progress.fraction, progress.note);
}

void RemoteCall::log(uint32_t level, std::string_view text) {
  const auto known = static_cast<StageLogLevel>(std::min<uint32_t>(level, FERMATA_LOG_ERROR));
  if (spec_.observer != nullptr) spec_.observer->log(known, text);
}

void RemoteCall::lost(bool guilty, std::string_view how) {
  if (state_ != State::kRunning && state_ != State::kOver) return;
  const StageInfo& info = stage_.info();
  StageOutcome outcome;
  outcome.lost = true;
  outcome.bystander = !guilty;
  outcome.preempted = !guilty && info.idempotent;
  outcome.retryable = info.idempotent;
  outcome.status = absl::UnavailableError(
      guilty ? absl::StrCat(info.use, " crashed: ", absl_view(how), " in plugin ", info.plugin_id,
                            " ", info.version)
             : absl::StrCat(info.use, " was lost: the process of plugin ", info.plugin_id, " ",
                            info.version, " died in another call: ", absl_view(how)));
  if (state_ == State::kRunning) tell(FERMATA_E_LOST, StageResult::kLost, std::move(outcome));
  stage_.plugin().forget(*this);
}

// ---- inside -----------------------------------------------------------------------------------

void RemoteCall::arm(int64_t deadline_ns) {
  stage_.plugin().loop().timers().arm(timer_, deadline_ns);
}

void RemoteCall::watch_over_end() {
  IsolatedPlugin& plugin = stage_.plugin();
  arm(plugin.loop().now_ns() + plugin.cancel_grace_ns() + kAfterGraceNs);
}

void RemoteCall::timer_fired(Timer& timer) noexcept {
  static_cast<OwnTimer&>(timer).call.timer_due();
}

void RemoteCall::timer_due() noexcept {
  switch (state_) {
    case State::kNew:
      start_now();
      return;
    case State::kWaiting:
      if (cancel_reason_ == 0) cancel_reason_ = FERMATA_CANCEL_DEADLINE;
      tell_cancelled();
      stage_.plugin().forget(*this);
      return;
    case State::kRunning:
    case State::kOver:
      stage_.plugin().kill_because(
          "cancel", absl::StrCat(stage_.info().use,
                                 " was cancelled and its process did not say that it let go"));
      return;
  }
}

void RemoteCall::tell_cancelled() {
  StageOutcome outcome;
  const bool late = cancel_reason_ == FERMATA_CANCEL_DEADLINE;
  const std::string why =
      absl::StrCat(stage_.info().use, late ? ": deadline exceeded" : " was cancelled",
                   " while its process was not there");
  outcome.status = late ? absl::DeadlineExceededError(why) : absl::CancelledError(why);
  outcome.preempted = outcome.unstarted = preempted_;
  outcome.retryable = late || preempted_;
  tell(FERMATA_E_CANCELLED, late ? StageResult::kDeadline : StageResult::kCancelled,
       std::move(outcome));
}

void RemoteCall::too_much(size_t bytes) {
  StageOutcome outcome;
  outcome.status = absl::ResourceExhaustedError(
      absl::StrCat(stage_.info().use, ": its output has ", bytes,
                   " bytes or more, this server takes at most ", stage_.plugin().payload_max()));
  tell(FERMATA_E_INVALID, StageResult::kInvalid, std::move(outcome));
}

void RemoteCall::tell(fermata_status status, StageResult result, StageOutcome outcome) {
  if (!std::exchange(counted_, false)) return;
  stage_.counters().end(result, stage_.plugin().loop().now_ns() - started_ns_,
                        outcome.output.size());
  status_ = status;
  outcome_ = std::move(outcome);
  outcome_.version = stage_.plugin().label();
  spec_.hold.note(outcome_);
  Owner* owner = std::exchange(owner_, nullptr);
  if (owner != nullptr) owner->call_ended(*this);
  spec_.observer = nullptr;
  spec_.parent = nullptr;
}

}  // namespace fermata

// CallAwaiter: a coroutine of the engine waits for a stage's call.
//
// The call starts when it is awaited. A stage that does not wait ends it then and there: nothing is
// parked and nothing goes through the ready ring.
#ifndef SERVICES_STAGES_CALL_AWAITER_H_
#define SERVICES_STAGES_CALL_AWAITER_H_

#include <coroutine>
#include <cstdint>
#include <utility>

#include "services/async/co.h"
#include "services/async/scope.h"
#include "services/stages/running_call.h"

namespace fermata {

//   wakes when   the call has ended, or was abandoned
//   on cancel    the call is cancelled; the frame goes when the plugin has let go, or the grace
//                period is over
//   on shutdown  like cancel
class [[nodiscard]] CallAwaiter final : public Suspension, public RunningCall::Owner {
 public:
  CallAwaiter(Callee& callee, StageCallSpec&& spec)
      : Suspension(&CallAwaiter::stop), call_(&callee.new_call(*this, std::move(spec))) {}
  ~CallAwaiter() {
    if (call_ != nullptr) call_->disown(FERMATA_CANCEL_SHUTDOWN);
  }

  bool await_ready() noexcept {
    call_->start_now();
    return call_ == nullptr;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    // In a scope that is cancelled already the call has begun all the same; the cancellation is on
    // its way to stop().
    (void)park(detail::untyped(frame));
  }
  // The outcome, which is this object's until it is moved away.
  StageOutcome& await_resume() noexcept { return outcome_; }

 private:
  static bool stop(Suspension& self) noexcept {
    auto& awaiter = static_cast<CallAwaiter&>(self);
    if (awaiter.call_ == nullptr) return true;
    awaiter.call_->cancel(abi_reason(awaiter.scope().reason()));
    return awaiter.call_ == nullptr;
  }
  static uint32_t abi_reason(CancelReason reason) noexcept {
    switch (reason) {
      case CancelReason::kDeadline:
        return FERMATA_CANCEL_DEADLINE;
      case CancelReason::kShutdown:
        return FERMATA_CANCEL_SHUTDOWN;
      case CancelReason::kSiblingFailed:
        return FERMATA_CANCEL_SIBLING;
      default:
        return FERMATA_CANCEL_REQUESTED;
    }
  }

  void call_ended(RunningCall& call) noexcept override {
    call.take_outcome(outcome_);
    call_ = nullptr;
    if (parked()) released();
  }

  RunningCall* call_;
  StageOutcome outcome_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_CALL_AWAITER_H_

// Cancellation: scopes, and the points where frames are suspended in them.
//
//   Scope  ── the frames of one body, from its boundary (a task, a timeout, a gather's branch, …)
//             down to the one place where they are parked
//   at_    ── that place: a leaf (sleep, queue.get, …), or a Join that waits for inner scopes;
//             null while a frame of the scope runs, or has been woken and is queued to run
//
// The contract, in six sentences:
//  1. request() marks a scope and queues a delivery; it never runs user code inline.
//  2. A delivery finds the scope parked, or does nothing: a wake-up already given is never taken
//     back, and the request then acts at the next suspension. It acts at every one of them: a
//     scope stays cancelled until it is left.
//  3. If the parked operation can be abandoned at once, the frames between it and the boundary are
//     destroyed, innermost first, and the boundary ends as cancelled.
//  4. If it cannot (inner scopes, a thread), it is told, and the delivery comes again when it is
//     free: nobody is destroyed while something below still runs.
//  5. An operation begun in a cancelled scope does not start: it parks, and is abandoned.
//  6. Only the loop unwinds, from its top level, never from inside somebody's call.
//
// So cancellation costs destructors, not exceptions, and clean-up is RAII. Loop thread only.
#ifndef SERVICES_ASYNC_SCOPE_H_
#define SERVICES_ASYNC_SCOPE_H_

#include <coroutine>
#include <cstdint>
#include <utility>

#include "services/async/cancel_reason.h"
#include "services/async/check.h"
#include "services/async/checked.h"
#include "services/async/context.h"
#include "services/async/continuation.h"
#include "services/async/loan.h"
#include "services/async/loop.h"
#include "services/async/promise_base.h"

namespace fermata {

// Base of everything a frame can be parked at. It lives in the awaiting frame, so destroying the
// frame runs its destructor, which must leave every list it is in.
class Suspension {
 public:
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;
  FrameHandle frame() const noexcept { return frame_; }

 protected:
  // Asks to stop. True: free; it has left every list, so nobody can wake it any more, and the
  // frame may be destroyed. False: in flight; the operation calls released() when it is free. Also
  // called for an operation that did not begin because park() said no.
  using Abort = bool (*)(Suspension&) noexcept;

  explicit Suspension(Abort abort) noexcept : abort_(abort) {}
  ~Suspension() = default;

  // First thing in await_suspend. False: the scope is cancelled, the operation must not begin.
  inline bool park(FrameHandle frame) noexcept;
  // The same for an operation that runs bodies: it begins even then, and they inherit the request.
  inline void park_running(FrameHandle frame) noexcept;
  // Ends the wait and queues the frame; wake_now() returns it instead, to be run at once.
  inline void wake() noexcept;
  inline FrameHandle wake_now() noexcept;
  // wake(), for an operation that has just been given what nobody else will get. If it takes part
  // in a race, that is decided with it, and nothing is given to the others.
  inline void wake_given() noexcept;
  // An operation that answered false to abort() is over: wakes the frame, or, if its scope has been
  // cancelled meanwhile, lets the cancellation go on.
  inline void released() noexcept;

  inline Scope& scope() const noexcept;
  // Whether the frames may be destroyed as soon as this lets go. If not, abort() may answer false
  // and do nothing: it is asked again when they may.
  inline bool may_unwind() const noexcept;
  // For one that answers so: it will not be woken any more.
  inline void stay() noexcept;
  bool parked() const noexcept { return frame_ != nullptr; }

 private:
  friend class Scope;
  friend class Join;
  FrameHandle frame_;
  Abort abort_;  // null: free, for good
};

class Scope : public Completion {
 public:
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Cancels; idempotent, the first reason stays.
  inline void request(CancelReason reason) noexcept;
  // The same, and asks at once whether the operation lets go, so that nothing can be given to it in
  // the time until the delivery.
  inline void request_now(CancelReason reason) noexcept;
  bool requested() const noexcept { return reason_ != CancelReason::kNone; }
  CancelReason reason() const noexcept { return reason_; }
  const Suspension* at() const noexcept { return at_; }
  ContextRef& context() noexcept { return context_; }

  // Nearest deadline of this scope and those around it, in loop time.
  virtual std::int64_t deadline_ns() const noexcept = 0;

 protected:
  Scope() noexcept {
    if (kChecked) loop_.set(Loop::current_or_null());
  }
  inline ~Scope();

  // Whether the frames may be destroyed yet; if not, redeliver() must be called when they may.
  virtual bool may_unwind() const noexcept { return true; }
  // Nothing of it runs any more; it only waits for may_unwind().
  bool stays() const noexcept { return stays_; }
  void stay() noexcept {
    stays_ = true;
    if (Loop& loop = Loop::current(); loop.first_borrower != nullptr) lend(loop);
  }
  void redeliver() noexcept {
    if (at_ != nullptr && requested()) queue_delivery();
  }
  // The frames are free, and the calls in them destroyed: destroy the body, and end as cancelled.
  // Called by the loop at its top level.
  virtual void unwind() noexcept = 0;
  // Of a scope that is racing: the leaf it is parked at is about to be woken.
  virtual void given() noexcept {}

 private:
  friend class Suspension;
  friend class Loop;
  inline void queue_delivery() noexcept;
  void verify() const noexcept { loop_.verify(Loop::current_or_null()); }
  // Whether what it is parked at is free now.
  bool lets_go() noexcept {
    if (at_->abort_ != nullptr && !at_->abort_(*at_)) return false;
    at_->abort_ = nullptr;
    return true;
  }
  void deliver() noexcept {
    if (at_ == nullptr) return;
    if (!lets_go()) return;
    if (!may_unwind()) return stay();
    const FrameHandle innermost = std::exchange(at_, nullptr)->frame_;
    detail::destroy_calls(innermost, *this);
    unwind();
  }

  Suspension* at_ = nullptr;
  ContextRef context_;          // what ContextVar::get() finds in its frames
  std::uint32_t delivery_ = 0;  // 1 + index in the loop's list of deliveries; 0: none is queued
  CancelReason reason_ = CancelReason::kNone;

 protected:
  // Of Branch and Task; here they are free, in the padding. There is one scope per task.
  bool was_cancelled_ : 1 = false;
  bool from_outside_ : 1 = false;
  bool unwind_last_ : 1 = false;
  bool done_ : 1 = false;
  bool named_ : 1 = false;
  bool racing_ : 1 = false;
  bool stays_ : 1 = false;

 private:
  [[no_unique_address]] detail::LoopStamp<kChecked> loop_;
};

namespace detail {

// What was set for the offloaded call this thread runs.
inline constinit thread_local const ContextNode* offloaded_context = nullptr;

inline const ContextNode* current_context() noexcept {
  if (offloaded_context != nullptr) return offloaded_context;
  const Loop* loop = Loop::current_or_null();
  if (loop == nullptr || loop->running() == nullptr) return nullptr;
  return loop->running()->context().get();
}

}  // namespace detail

// Queues a frame that is not parked, or no longer.
inline void resume_soon(std::coroutine_handle<> frame) noexcept {
  Scope& scope = *FrameHandle::from_address(frame.address()).promise().scope;
  Loop::current().ready(frame, scope);
}

// ---- hot paths

inline Scope& Suspension::scope() const noexcept { return *frame_.promise().scope; }

inline bool Suspension::may_unwind() const noexcept { return scope().may_unwind(); }

inline void Suspension::stay() noexcept { scope().stay(); }

inline bool Suspension::park(FrameHandle frame) noexcept {
  frame_ = frame;
  Scope& scope = *frame.promise().scope;
  if (kChecked) scope.verify();
  FERMATA_CHECK(!detail::Destroying<kChecked>::here(),
                "a destructor runs coroutines: it is part of a frame that is being destroyed");
  scope.at_ = this;
  if (!scope.requested()) [[likely]]
    return true;
  scope.queue_delivery();
  return false;
}

inline void Suspension::park_running(FrameHandle frame) noexcept {
  frame_ = frame;
  frame.promise().scope->at_ = this;
}

inline FrameHandle Suspension::wake_now() noexcept {
  scope().at_ = nullptr;
  Loop::current().set_running(&scope());
  return frame_;
}

inline void Suspension::wake() noexcept {
  Scope& scope = this->scope();
  if (kChecked) scope.verify();
  scope.at_ = nullptr;
  Loop::current().ready(frame_, scope);
}

inline void Suspension::wake_given() noexcept {
  if (scope().racing_) [[unlikely]]
    scope().given();
  wake();
}

inline void Suspension::released() noexcept {
  if (!scope().requested()) [[likely]]
    return wake();
  abort_ = nullptr;
  scope().queue_delivery();
}

inline Scope::~Scope() {
  if (delivery_ != 0) [[unlikely]]
    Loop::current().drop_delivery(delivery_);
}

inline void Scope::queue_delivery() noexcept {
  if (delivery_ == 0) delivery_ = Loop::current().add_delivery(*this);
}

inline void Scope::request(CancelReason reason) noexcept {
  if (kChecked) verify();
  if (requested()) return;
  reason_ = reason;
  if (at_ != nullptr) queue_delivery();
}

inline void Scope::request_now(CancelReason reason) noexcept {
  if (requested() && delivery_ == 0) return;  // it has been asked
  request(reason);
  if (at_ != nullptr) (void)lets_go();
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_SCOPE_H_

// Condition: wait, holding a lock, until somebody says that something changed. asyncio.Condition.
//
//   Lock::Guard guard = co_await lock.acquire();
//   while (!ready()) co_await changed.wait();
//
// wait() gives the lock up and has it again when it ends, whatever ended it: also when it is
// cancelled the lock is taken back before any frame is destroyed, so guards stay true; from a
// holder that can only go after the waiter it is borrowed (loan.h). A waiter that was notified is
// not cancelled any more, so a notification is never lost.
#ifndef SERVICES_ASYNC_CONDITION_H_
#define SERVICES_ASYNC_CONDITION_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/lock.h"
#include "services/async/scope.h"
#include "services/async/wait_list.h"

namespace fermata {

class Condition {
 public:
  explicit Condition(Lock& lock) noexcept : lock_(&lock) {}
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  // Wakes after a notify, holding the lock. On cancel: when the lock has been taken back. On
  // shutdown: as cancelled.
  class [[nodiscard]] Wait final : public Lock::Waiter, private Borrower {
   public:
    explicit Wait(Condition& condition) noexcept : Waiter(&Wait::stop), condition_(&condition) {}
    bool await_ready() const noexcept {
      FERMATA_CHECK(condition_->lock_->locked(), "Condition::wait() without holding the lock");
      return false;
    }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      if (!park(detail::untyped(frame))) return;
      state_ = State::kWaiting;
      home_ = condition_->lock_->holder_;
      condition_->waiters_.push_back(*this);
      condition_->lock_->release();
    }
    void await_resume() const noexcept {}

   private:
    friend class Condition;
    enum class State : std::uint8_t { kNotBegun, kWaiting, kNotified, kCancelled };

    static bool stop(Suspension& suspension) noexcept {
      Wait& self = static_cast<Wait&>(suspension);
      if (self.state_ == State::kNotBegun) return true;  // the lock was never given up
      if (self.state_ == State::kWaiting) {
        self.state_ = State::kCancelled;
        self.unlink();
      }
      self.take_lock_back();
      return false;
    }
    void take_lock_back() noexcept {
      if (state_ == State::kCancelled && !linked()) {
        // The body of a group goes last: it would hold the lock, and its children may need it to
        // go.
        if (!may_unwind()) return stay();
        condition_->lock_->take_or_queue(*this);
      }
      if (linked()) ask();
    }
    void borrow_if_stuck() noexcept override {
      if (!condition_->lock_->can_be_lent_to(scope())) return;
      unlink();
      condition_->lock_->lent_ = true;
      go_on();
    }
    void notified() noexcept {
      state_ = State::kNotified;
      condition_->lock_->take_or_queue(*this);
    }
    void granted() noexcept override {
      condition_->lock_->holder_ = home_;
      go_on();
    }
    void go_on() noexcept {
      if (asking()) stop_asking();
      if (state_ == State::kNotified) return wake();
      released();
    }

    Condition* condition_;
    const Scope* home_ = nullptr;  // where the guard is that has the lock
    State state_ = State::kNotBegun;
  };
  Wait wait() noexcept { return Wait(*this); }

  // Wakes the `count` that have waited longest. They go on when they get the lock.
  void notify(std::size_t count = 1) noexcept {
    for (; count > 0 && !waiters_.empty(); --count) waiters_.pop()->notified();
  }
  void notify_all() noexcept {
    while (Wait* waiter = waiters_.pop()) waiter->notified();
  }

 private:
  Lock* lock_;
  WaitList<Wait> waiters_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_CONDITION_H_

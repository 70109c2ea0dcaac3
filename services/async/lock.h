// Lock: one holder at a time, first come first served. asyncio.Lock.
//
//   Lock::Guard guard = co_await lock.acquire();     // released when guard goes
//
// The lock is handed over, never thrown to whoever comes first: between release and the next
// holder's turn it stays locked. No atomics: coroutines of one loop. A lock is only needed where a
// co_await lies between reading and writing; without one nothing can come between.
#ifndef SERVICES_ASYNC_LOCK_H_
#define SERVICES_ASYNC_LOCK_H_

#include <coroutine>
#include <cstdint>
#include <optional>
#include <utility>

#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/loan.h"
#include "services/async/loop.h"
#include "services/async/scope.h"
#include "services/async/wait_list.h"

namespace fermata {

class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { FERMATA_CHECK(!locked_, "a lock was destroyed while it was held"); }

  class [[nodiscard]] Guard {
   public:
    Guard(Guard&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {
      if (lock_ != nullptr) lock_->note_holder();
    }
    Guard& operator=(Guard other) noexcept {
      std::swap(lock_, other.lock_);
      return *this;
    }
    ~Guard() { unlock(); }
    // Before the end of its life.
    void unlock() noexcept {
      if (lock_ != nullptr) std::exchange(lock_, nullptr)->release();
    }

   private:
    friend class Lock;
    explicit Guard(Lock& lock) noexcept : lock_(&lock) {}
    Lock* lock_;
  };

  bool locked() const noexcept { return locked_; }
  std::optional<Guard> try_acquire() noexcept {
    if (locked_) return std::nullopt;
    locked_ = true;
    note_holder();
    return Guard(*this);
  }

  // Whoever waits for the lock: an acquire(), or a Condition that takes it back.
  class Waiter : public ListedWait {
   protected:
    Waiter() noexcept = default;
    explicit Waiter(Abort abort) noexcept : ListedWait(abort) {}
    ~Waiter() = default;

   private:
    friend class Lock;
    virtual void granted() noexcept = 0;  // it holds the lock now
  };

  // Wakes holding the lock. On cancel: gives up its place. On shutdown: as cancelled.
  class [[nodiscard]] Acquire final : public Waiter {
   public:
    explicit Acquire(Lock& lock) noexcept : lock_(&lock) {}
    bool await_ready() noexcept {
      Loop& loop = Loop::current();
      return loop.spend_budget() && lock_->take(loop.running());
    }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      if (park(detail::untyped(frame))) lock_->take_or_queue(*this);
    }
    Guard await_resume() noexcept { return Guard(*lock_); }

   private:
    void granted() noexcept override {
      lock_->holder_ = &scope();
      wake();
    }
    Lock* lock_;
  };
  Acquire acquire() noexcept { return Acquire(*this); }

 private:
  friend class Condition;
  bool take(const Scope* holder) noexcept {
    if (locked_) return false;
    holder_ = holder;
    return locked_ = true;
  }
  void take_or_queue(Waiter& waiter) noexcept {
    if (take(nullptr)) return waiter.granted();
    waiters_.push_back(waiter);
  }
  void release() noexcept {
    FERMATA_CHECK(locked_, "released a lock that is not held");
    if (lent_) [[unlikely]]
      return take_back();
    locked_ = !waiters_.empty();
    if (locked_) waiters_.pop()->granted();
  }
  // A guard is in the frames that run now.
  void note_holder() noexcept {
    const Loop* loop = Loop::current_or_null();
    if (!lent_ && loop != nullptr) holder_ = loop->running();
  }
  // loan.h
  bool can_be_lent_to(const Scope& waiter) const noexcept {
    return !lent_ && goes_after(holder_, waiter);
  }
  void take_back() noexcept {
    lent_ = false;
    lend(Loop::current());
  }

  bool locked_ = false;
  bool lent_ = false;
  // The scope in whose frames the guard is, as far as its moves tell. Compared, never followed.
  const Scope* holder_ = nullptr;
  WaitList<Waiter> waiters_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_LOCK_H_

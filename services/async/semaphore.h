// Semaphore: at most n holders at a time, first come first served. asyncio.Semaphore.
//
//   Semaphore::Permit permit = co_await slots.acquire();     // given back when permit goes
//
// A permit given back goes straight to whoever has waited longest: no newcomer can take it first,
// and no cancellation can lose it.
#ifndef SERVICES_ASYNC_SEMAPHORE_H_
#define SERVICES_ASYNC_SEMAPHORE_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/scope.h"
#include "services/async/wait_list.h"

namespace fermata {

class Semaphore {
 public:
  explicit Semaphore(std::size_t permits) noexcept : available_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  class [[nodiscard]] Permit {
   public:
    Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
    Permit& operator=(Permit other) noexcept {
      std::swap(semaphore_, other.semaphore_);
      return *this;
    }
    ~Permit() { release(); }
    // Before the end of its life.
    void release() noexcept {
      if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->give_back();
    }

   private:
    friend class Semaphore;
    explicit Permit(Semaphore& semaphore) noexcept : semaphore_(&semaphore) {}
    Semaphore* semaphore_;
  };

  std::size_t available() const noexcept { return available_; }
  std::optional<Permit> try_acquire() noexcept {
    if (!take()) return std::nullopt;
    return Permit(*this);
  }

  // Wakes holding a permit. On cancel: gives up its place. On shutdown: as cancelled.
  class [[nodiscard]] Acquire final : public ListedWait {
   public:
    explicit Acquire(Semaphore& semaphore) noexcept : semaphore_(&semaphore) {}
    bool await_ready() noexcept { return Loop::current().spend_budget() && semaphore_->take(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      if (!park(detail::untyped(frame))) return;
      if (semaphore_->take()) return wake();  // out of budget, not of permits
      semaphore_->waiters_.push_back(*this);
    }
    Permit await_resume() noexcept { return Permit(*semaphore_); }

   private:
    friend class Semaphore;
    Semaphore* semaphore_;
  };
  Acquire acquire() noexcept { return Acquire(*this); }

 private:
  bool take() noexcept {
    if (available_ == 0) return false;
    --available_;
    return true;
  }
  void give_back() noexcept {
    if (Acquire* first = waiters_.pop()) {
      first->wake();
    } else {
      ++available_;
    }
  }

  std::size_t available_;
  WaitList<Acquire> waiters_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_SEMAPHORE_H_

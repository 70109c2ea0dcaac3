// sleep, sleep_until, yield_now.
#ifndef SERVICES_ASYNC_SLEEP_H_
#define SERVICES_ASYNC_SLEEP_H_

#include <coroutine>
#include <cstdint>

#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/scope.h"

namespace fermata {

// Wakes at the deadline, never before it by the loop's clock. On cancel: at once. On shutdown: as
// cancelled. A deadline that has passed still lets the others run once.
class [[nodiscard]] Sleep final : public Suspension, private Timer {
 public:
  explicit Sleep(std::int64_t deadline_ns) noexcept
      : Suspension(&Sleep::stop), Timer(&Sleep::fire_sleep), deadline_ns_(deadline_ns) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    if (!park(detail::untyped(frame))) return;
    if (deadline_ns_ == TimerHeap::kNever) return;  // sleeps until it is cancelled
    Loop& loop = Loop::current();
    if (deadline_ns_ <= loop.now_ns()) return wake();
    loop.timers().arm(*this, deadline_ns_);
  }
  void await_resume() const noexcept {}

 private:
  static void fire_sleep(Timer& timer) noexcept { static_cast<Sleep&>(timer).wake(); }
  static bool stop(Suspension& self) noexcept {
    static_cast<Sleep&>(self).disarm();
    return true;
  }

  std::int64_t deadline_ns_;
};

inline Sleep sleep(absl::Duration duration) noexcept {
  return Sleep(Loop::current().deadline_after(duration));
}
inline Sleep sleep_until(absl::Time deadline) noexcept {
  return Sleep(Loop::current().to_ns(deadline));
}

// Wakes when everything that is ready has run. On cancel: does not come back. On shutdown: as
// cancelled.
class [[nodiscard]] Yield final : public Suspension {
 public:
  Yield() noexcept : Suspension([](Suspension&) noexcept { return true; }) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    Scope& scope = *frame.promise().scope;
    if (kChecked || scope.requested()) [[unlikely]]
      return park_and_wake(detail::untyped(frame));
    // Ready again at once: it is never seen parked.
    Loop::current().ready(frame, scope);
  }
  void await_resume() const noexcept {}

 private:
  [[gnu::noinline, gnu::cold]] void park_and_wake(FrameHandle frame) noexcept {
    if (park(frame)) wake();
  }
};

inline Yield yield_now() noexcept { return Yield(); }

}  // namespace fermata

#endif  // SERVICES_ASYNC_SLEEP_H_

// Event: a flag that coroutines wait for. asyncio.Event.
//
// set() wakes everybody who waits at that moment, even if clear() follows at once. One loop, no
// atomics: set it from another thread with loop.post().
#ifndef SERVICES_ASYNC_EVENT_H_
#define SERVICES_ASYNC_EVENT_H_

#include <coroutine>
#include <cstdint>

#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/scope.h"
#include "services/async/wait_list.h"

namespace fermata {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set() noexcept {
    set_ = true;
    while (Wait* waiter = waiters_.pop()) waiter->wake();
  }
  void clear() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }

  // Wakes when the flag is, or becomes, set. On cancel: at once. On shutdown: as cancelled.
  class [[nodiscard]] Wait final : public ListedWait {
   public:
    explicit Wait(Event& event) noexcept : event_(&event) {}
    bool await_ready() const noexcept { return event_->set_ && Loop::current().spend_budget(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      if (!park(detail::untyped(frame))) return;
      if (event_->set_) return wake();
      event_->waiters_.push_back(*this);
    }
    void await_resume() const noexcept {}

   private:
    friend class Event;
    Event* event_;
  };
  Wait wait() noexcept { return Wait(*this); }

 private:
  bool set_ = false;
  WaitList<Wait> waiters_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_EVENT_H_

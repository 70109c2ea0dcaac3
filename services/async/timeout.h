// timeout, timeout_at: the body's result, or DeadlineExceeded.
//
//   Reply reply = co_await Try(timeout(absl::Milliseconds(50), backend.get(key)));
//
// At the deadline the body is cancelled, and the call returns when the body has let go: after its
// clean-up, not before. A result that is there at the deadline wins. A deadline that has passed
// before the start means that the body never runs. When the scope around is cancelled, that wins: a
// cancellation from outside is never reported as a timeout, and of nested timeouts that are due
// together the outermost reports.
#ifndef SERVICES_ASYNC_TIMEOUT_H_
#define SERVICES_ASYNC_TIMEOUT_H_

#include <coroutine>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/awaitable.h"
#include "services/async/cancel_scope.h"
#include "services/async/co.h"
#include "services/async/join.h"
#include "services/async/loop.h"

namespace fermata {
namespace detail {

class Deadline : public Join, private Timer {
 public:
  explicit Deadline(std::int64_t deadline_ns) noexcept
      : Timer(&Deadline::expire), deadline_ns_(deadline_ns) {}

  void before_start(Branch& branch) noexcept {
    branch_ = &branch;
    Loop& loop = Loop::current();
    if (deadline_ns_ <= loop.now_ns()) return branch.request(CancelReason::kDeadline);
    if (deadline_ns_ != TimerHeap::kNever) loop.timers().arm(*this, deadline_ns_);
  }
  void on_end(Branch&) noexcept override { disarm(); }
  bool has_result() const noexcept override { return !branch_->was_cancelled(); }
  const char* kind() const noexcept override { return "timeout"; }
  std::int64_t own_deadline_ns() const noexcept override { return deadline_ns_; }

 private:
  static void expire(Timer& timer) noexcept {
    static_cast<Deadline&>(timer).branch_->request(CancelReason::kDeadline);
  }
  std::int64_t deadline_ns_;
  Branch* branch_ = nullptr;
};

template <class T>
Co<OrStatus<Folded<T>>> run_until(std::int64_t deadline_ns, Body<T> body) {
  Outcome<Folded<T>> outcome = co_await RunOne<T, Deadline>(std::move(body), deadline_ns);
  co_return to_result(std::move(outcome));
}

}  // namespace detail

// Wakes when the body has ended. On cancel: forwarded to the body, then outward. On shutdown: same.
template <class A>
  requires Awaitable<A>
auto timeout(absl::Duration limit, A&& body) {
  return detail::run_until(Loop::current().deadline_after(limit),
                           detail::to_body(std::forward<A>(body)));
}
template <class A>
  requires Awaitable<A>
auto timeout_at(absl::Time deadline, A&& body) {
  return detail::run_until(Loop::current().to_ns(deadline), detail::to_body(std::forward<A>(body)));
}

// co_await current_deadline(): the nearest deadline of the scopes around, for those who pass it on.
// InfiniteFuture if there is none. Does not suspend.
class [[nodiscard]] CurrentDeadline {
 public:
  CurrentDeadline() noexcept {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame) noexcept {
    deadline_ns_ = frame.promise().scope->deadline_ns();
    return false;
  }
  absl::Time await_resume() const noexcept { return Loop::current().to_time(deadline_ns_); }

 private:
  std::int64_t deadline_ns_ = TimerHeap::kNever;
};

inline CurrentDeadline current_deadline() noexcept { return CurrentDeadline(); }

}  // namespace fermata

#endif  // SERVICES_ASYNC_TIMEOUT_H_

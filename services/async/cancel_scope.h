// CancelScope: the place where a cancellation is caught.
//
//   CancelScope scope(now() + absl::Seconds(5));
//   stop_button.on_press([&] { scope.cancel(); });           // from anywhere on the loop
//   Outcome<Report> outcome = co_await scope.run(work());
//   if (outcome.cancelled()) …
//
// run() gives the outcome whatever it is, so the coroutine that awaits it goes on, and may clean up
// asynchronously: in shield(), if the scope around it is cancelled too. Frames inside are
// destroyed, innermost first, once what they wait for has let go.
#ifndef SERVICES_ASYNC_CANCEL_SCOPE_H_
#define SERVICES_ASYNC_CANCEL_SCOPE_H_

#include <coroutine>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "services/async/awaitable.h"
#include "services/async/co.h"
#include "services/async/join.h"
#include "services/async/loop.h"
#include "services/async/outcome.h"

namespace fermata {
namespace detail {

// One body under its own scope. What the join is for is said by the derived class.
template <class T, class Policy>
class [[nodiscard]] RunOne : public Policy {
 public:
  template <class... A>
  explicit RunOne(Body<T> body, A&&... args) noexcept
      : Policy(std::forward<A>(args)...), branch_(std::move(body)) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> frame,
                                        std::uint32_t line = __builtin_LINE()) noexcept {
    this->begin(frame, line);
    this->before_start(branch_);
    return transfer(branch_.start_now(*this).resolve());
  }
  Outcome<Folded<T>> await_resume() { return branch_.take_outcome(); }

 protected:
  BodyBranch<T> branch_;
};

}  // namespace detail

class CancelScope {
 public:
  explicit CancelScope(absl::Time deadline = absl::InfiniteFuture()) noexcept
      : deadline_(deadline), timer_(*this) {}
  CancelScope(const CancelScope&) = delete;
  ~CancelScope() {
    FERMATA_CHECK(running_ == nullptr, "a CancelScope was destroyed while its body was running");
  }

  // Idempotent; the first reason stays. Before run(): the body does not start.
  void cancel(CancelReason why = CancelReason::kRequested) noexcept {
    if (cancelled()) return;
    reason_ = why;
    if (running_ != nullptr) request();
  }
  bool cancelled() const noexcept { return reason_ != CancelReason::kNone; }
  CancelReason reason() const noexcept { return reason_; }

  absl::Time deadline() const noexcept { return deadline_; }
  // Moves the deadline, both ways, also while the body runs.
  void set_deadline(absl::Time deadline) noexcept;

  // How long a cancelled body may take before Loop::report_lingering() says what it waits for.
  // It is not stopped by force: frames that something still uses cannot be.
  void set_grace(absl::Duration grace) noexcept { grace_ = grace; }

  // One body at a time. Wakes when the body has ended. On cancel: forwarded to the body, and the
  // outcome says so. On shutdown: likewise.
  template <class A>
    requires Awaitable<A>
  Co<Outcome<Folded<AwaitResult<A>>>> run(A&& body) {
    return run_body(*this, detail::to_body(std::forward<A>(body)));
  }

 private:
  struct DeadlineTimer : Timer {
    explicit DeadlineTimer(CancelScope& scope) noexcept : Timer(&fire), scope(&scope) {}
    static void fire(Timer& timer) noexcept { static_cast<DeadlineTimer&>(timer).scope->expire(); }
    CancelScope* scope;
  };

  class Policy : public Join {
   public:
    explicit Policy(CancelScope& scope) noexcept : scope_(&scope) {}
    void before_start(Branch& branch) noexcept { scope_->enter(branch); }
    void on_end(Branch&) noexcept override { scope_->leave(); }
    bool has_result() const noexcept override { return true; }
    const char* kind() const noexcept override { return "scope"; }
    std::int64_t own_deadline_ns() const noexcept override {
      return Loop::current().to_ns(scope_->deadline_);
    }

   private:
    CancelScope* scope_;
  };

  template <class T>
  static Co<Outcome<Folded<T>>> run_body(CancelScope& scope, detail::Body<T> body) {
    co_return co_await detail::RunOne<T, Policy>(std::move(body), scope);
  }

  void enter(Branch& branch) noexcept;
  void leave() noexcept;
  void request() noexcept;  // of the body; from then on the timer is the grace's
  void expire() noexcept;

  absl::Time deadline_;
  CancelReason reason_ = CancelReason::kNone;
  absl::Duration grace_ = absl::InfiniteDuration();
  Branch* running_ = nullptr;
  DeadlineTimer timer_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_CANCEL_SCOPE_H_

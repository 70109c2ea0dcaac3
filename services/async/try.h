// Try: the value, or this coroutine finishes with the error.
//
//   Reply reply = co_await Try(backend.get(key));      // Co<absl::StatusOr<Reply>>
//   co_await Try(queue.put(std::move(item)));          // anything that gives absl::Status
//
// The awaiting coroutine must itself return Status or StatusOr. On error its result is set and its
// own awaiter runs next; its frame is then destroyed by its owner like any other, so locals are
// cleaned up in order. No macro, no throw: an error costs as little per level as a value.
#ifndef SERVICES_ASYNC_TRY_H_
#define SERVICES_ASYNC_TRY_H_

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/awaitable.h"
#include "services/async/co.h"
#include "services/async/outcome.h"

namespace fermata {
namespace detail {

template <class R>
class [[nodiscard]] TryAwaiter final : public Completion {
  static_assert(!std::is_same_v<R, Folded<R>>,
                "Try needs a coroutine that returns absl::Status or absl::StatusOr");

 public:
  explicit TryAwaiter(Body<R> child) noexcept : child_(std::move(child)) {}
  TryAwaiter(const TryAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }

  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent,
                                        std::uint32_t line = __builtin_LINE()) noexcept {
    static_assert(
        requires(P& promise) { promise.return_value(absl::Status()); },
        "Try can only be used where an absl::Status can be returned");
    parent.promise().line = line;
    parent_ = untyped(parent);
    fail_ = [](FrameHandle frame, absl::Status error) noexcept {
      auto typed = std::coroutine_handle<P>::from_address(frame.address());
      typed.promise().return_value(std::move(error));
    };
    PromiseBase& child = child_.promise();
    child.continuation = this;
    child.scope = parent.promise().scope;
    return transfer(child_.get());
  }

  Folded<R> await_resume() {
    R result = child_.promise().take();
    if constexpr (!std::is_void_v<Folded<R>>) return *std::move(result);
  }

  Continuation complete() noexcept override {
    if (child_.promise().exception() != nullptr) return parent_;  // await_resume rethrows
    const absl::Status& status = status_of(child_.promise().value());
    if (status.ok()) return parent_;
    fail_(parent_, status);
    PromiseBase& parent = parent_.promise();
    const Continuation next = parent.continuation;
    parent.abandon(*this);
    return next;
  }
  std::coroutine_handle<> awaiting() const noexcept override { return parent_; }
  PromiseBase* callee() const noexcept override { return &child_.promise(); }
  void destroy_callee() noexcept override { const Body<R> callee = std::move(child_); }

 private:
  Body<R> child_;
  FrameHandle parent_;
  void (*fail_)(FrameHandle, absl::Status) noexcept = nullptr;
};

}  // namespace detail

template <class A>
  requires Awaitable<A>
detail::TryAwaiter<AwaitResult<A>> Try(A&& operation) noexcept {
  return detail::TryAwaiter<AwaitResult<A>>(detail::to_body(std::forward<A>(operation)));
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_TRY_H_

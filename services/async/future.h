// Promise<T> and Future<T>: one result, set once, awaited by any number of coroutines.
//
//   Promise<Reply> promise;
//   pending.emplace(id, std::move(promise)) … promise.set_value(reply);
//   absl::StatusOr<Reply> reply = co_await promise.future();
//
// For results that come from outside the coroutine world: a callback, a table of requests. Where a
// coroutine produces the result, await the coroutine, or a Task. A promise that is dropped unset
// gives its waiters kCancelled, so nobody waits for ever. One loop: set it from another thread with
// loop.post().
#ifndef SERVICES_ASYNC_FUTURE_H_
#define SERVICES_ASYNC_FUTURE_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/awaitable.h"
#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/frame_pool.h"
#include "services/async/loop.h"
#include "services/async/outcome.h"
#include "services/async/scope.h"
#include "services/async/wait_list.h"

namespace fermata {
namespace detail {

// Shared by the promise and its futures; counted without atomics, on one loop.
template <class T>
class FutureState final {
  static_assert(alignof(OrStatus<T>) <= 16, "a result may not be over-aligned");

 public:
  using Result = OrStatus<T>;  // StatusOr<T>, or Status for void

  class Waiter : public ListedWait {
   protected:
    friend class FutureState;
  };

  static void* operator new(std::size_t bytes) { return fermata_frame_alloc(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept {
    fermata_frame_free(block, bytes);
  }

  void set(Result result) {
    result_.emplace(std::move(result));
    while (Waiter* waiter = waiters_.pop()) waiter->wake();
  }
  bool done() const noexcept { return result_.has_value(); }
  Result& result() noexcept { return *result_; }
  void add_waiter(Waiter& waiter) noexcept { waiters_.push_back(waiter); }

  void add_reference() noexcept { ++references_; }
  void drop_reference() noexcept {
    if (--references_ == 0) delete this;
  }

 private:
  std::uint32_t references_ = 1;
  std::optional<Result> result_;
  WaitList<Waiter> waiters_;
};

// A counted pointer to it.
template <class T>
class FutureRef {
 public:
  explicit FutureRef(FutureState<T>* state) noexcept : state_(state) {}  // takes a reference over
  FutureRef(const FutureRef& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->add_reference();
  }
  FutureRef(FutureRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  FutureRef& operator=(FutureRef other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~FutureRef() {
    if (state_ != nullptr) state_->drop_reference();
  }
  FutureState<T>* operator->() const noexcept { return state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  FutureState<T>* state_;
};

}  // namespace detail

template <class T = void>
class Future {
  using State = detail::FutureState<T>;

 public:
  using Result = typename State::Result;
  bool done() const noexcept { return state_->done(); }

  // Wakes when the promise is set or dropped. On cancel: at once. On shutdown: as cancelled.
  class [[nodiscard]] Wait final : public State::Waiter {
   public:
    explicit Wait(detail::FutureRef<T> state) noexcept : state_(std::move(state)) {}
    bool await_ready() const noexcept { return state_->done() && Loop::current().spend_budget(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      if (!this->park(detail::untyped(frame))) return;
      if (state_->done()) return this->wake();
      state_->add_waiter(*this);
    }
    // A copy, since others may wait too; of a value that cannot be copied, the one taker.
    Result await_resume() {
      if constexpr (std::is_copy_constructible_v<Result>) {
        return state_->result();
      } else {
        return std::move(state_->result());
      }
    }

   private:
    detail::FutureRef<T> state_;
  };
  Wait operator co_await() const noexcept { return Wait(state_); }

 private:
  template <class U>
  friend class Promise;
  explicit Future(detail::FutureRef<T> state) noexcept : state_(std::move(state)) {}
  detail::FutureRef<T> state_;
};

template <class T = void>
class Promise {
  using State = detail::FutureState<T>;

 public:
  Promise() : state_(new State()) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Promise() {
    if (state_) set(absl::CancelledError("the promise was dropped without a result"));
  }

  Future<T> future() const noexcept { return Future<T>(state_); }

  // False if it was set before: the first result stays.
  template <class U = T>
    requires(!std::is_void_v<T> && std::is_constructible_v<T, U &&>)
  bool set_value(U&& value) {
    return set(typename State::Result(T(std::forward<U>(value))));
  }
  bool set_value()
    requires std::is_void_v<T>
  {
    return set(absl::OkStatus());
  }
  bool set_error(absl::Status error) {
    FERMATA_CHECK(!error.ok(), "set_error() needs an error");
    return set(std::move(error));
  }

 private:
  bool set(typename State::Result result) {
    if (state_->done()) return false;
    state_->set(std::move(result));
    return true;
  }
  detail::FutureRef<T> state_;
};

namespace detail {

template <class T>
struct HandleTraits<Future<T>> {
  using result = OrStatus<T>;
  static Co<result> wait(Future<T> future) {
    result value = co_await future;
    co_return value;
  }
};

}  // namespace detail
}  // namespace fermata

#endif  // SERVICES_ASYNC_FUTURE_H_

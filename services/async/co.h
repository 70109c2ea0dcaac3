// Co<T>: a coroutine, not yet running. Python's coroutine object.
//
//   Co<int> length(std::string text) { co_return text.size(); }
//   int n = co_await length("abc");
//
// Lazy: it runs when it is awaited, on the awaiting coroutine's loop, in its scope. Immovable: it
// can only be used in the expression that creates it, so its reference parameters, and the
// temporaries behind them, outlive it. What must run beside its creator is spawned into a
// TaskGroup.
//
// One pooled frame per call, about 12 ns with the await. Errors are values (Co<absl::StatusOr<T>>
// with Try); an exception is carried to the awaiting coroutine, and stops at the edge of the task.
#ifndef SERVICES_ASYNC_CO_H_
#define SERVICES_ASYNC_CO_H_

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "services/async/check.h"
#include "services/async/promise_base.h"

namespace fermata {

template <class T = void>
class Co;

namespace detail {

// g++ 12 lays out the frame of some coroutines 8 bytes off, and then computes nonsense (see "await
// normal form" in README.md). It always takes frames from the pool, so the address tells. clang has
// no such bug, and may put a frame anywhere.
#if defined(__GNUC__) && !defined(__clang__)
inline constexpr bool kFramesCanBeShifted = true;
#else
inline constexpr bool kFramesCanBeShifted = false;
#endif

inline void check_frame(const void* frame) noexcept {
  FERMATA_CHECK(!kFramesCanBeShifted || reinterpret_cast<std::uintptr_t>(frame) % 16 == 0,
                "this coroutine was miscompiled: a co_await in a condition, and no local variable");
}

template <class T>
class Promise final : public PromiseBase {
 public:
  Promise() noexcept {
    static_assert(sizeof(PromiseBase) % 16 == 0 && alignof(T) <= 16,
                  "a coroutine result may not be over-aligned");
  }
  ~Promise() {
    if (has_value()) std::destroy_at(&value_);
    if (state_ == State::kException) std::destroy_at(&exception_);
  }
  void set_owner(FrameHandle& owner) noexcept { owner_ = &owner; }

  inline Co<T> get_return_object(const char* function = __builtin_FUNCTION()) noexcept;

  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    std::construct_at(&value_, std::forward<U>(value));
    state_ = State::kValue;
  }
  void unhandled_exception() noexcept {
    FERMATA_CHECK(state_ == State::kEmpty, "a destructor threw after co_return");
    std::construct_at(&exception_, std::current_exception());
    state_ = State::kException;
  }

  std::exception_ptr exception() const noexcept {
    return state_ == State::kException ? exception_ : nullptr;
  }
  T& value() noexcept {
    FERMATA_CHECK(has_value(), "a coroutine ended without a result");
    return value_;
  }
  T take() {
    if (state_ != State::kValue) [[unlikely]]
      look_closer();
    return std::move(value_);
  }

 private:
  bool has_value() const noexcept { return state_ == State::kValue || state_ == State::kAbandoned; }
  [[gnu::noinline, gnu::cold]] void look_closer() {
    if (state_ == State::kException) std::rethrow_exception(exception_);
    FERMATA_CHECK(abandoned(), "a coroutine ended without a result");
    drop_calls();
  }

  union {
    FrameHandle* owner_;  // until it ends: see PromiseBase::owner()
    T value_;
    std::exception_ptr exception_;
  };
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Promise() noexcept {}
  ~Promise() {
    if (state_ == State::kException) std::destroy_at(&exception_);
  }
  void set_owner(FrameHandle& owner) noexcept { owner_ = &owner; }

  inline Co<void> get_return_object(const char* function = __builtin_FUNCTION()) noexcept;
  void return_void() noexcept { state_ = State::kValue; }
  void unhandled_exception() noexcept {
    std::construct_at(&exception_, std::current_exception());
    state_ = State::kException;
  }
  std::exception_ptr exception() const noexcept {
    return state_ == State::kException ? exception_ : nullptr;
  }
  void take() {
    if (state_ == State::kException) [[unlikely]]
      std::rethrow_exception(exception_);
  }

 private:
  union {
    FrameHandle* owner_;  // until it ends: see PromiseBase::owner()
    std::exception_ptr exception_;
  };
};

// A coroutine that somebody owns: the movable inside of a Co, for those who run bodies.
template <class T>
class Body {
 public:
  using Handle = std::coroutine_handle<Promise<T>>;
  explicit Body(Handle frame) noexcept : frame_(frame) {}
  Body(Body&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Body& operator=(Body&&) = delete;
  ~Body() {
    if (frame_) frame_.destroy();
  }
  Promise<T>& promise() const noexcept { return frame_.promise(); }
  Handle get() const noexcept { return frame_; }
  Handle release() noexcept { return std::exchange(frame_, nullptr); }

 private:
  Handle frame_;
};

// The same frame, its result type forgotten.
template <class T>
FrameHandle untyped(std::coroutine_handle<T> frame) noexcept {
  static_assert(alignof(T) <= 16, "a coroutine result may not be over-aligned");
  return FrameHandle::from_address(frame.address());
}

}  // namespace detail

template <class T>
class [[nodiscard]] Co {
 public:
  static_assert(!std::is_reference_v<T>, "return a pointer");
  using promise_type = detail::Promise<T>;
  using value_type = T;

  Co(const Co&) = delete;
  Co& operator=(const Co&) = delete;
  ~Co() {
    if (frame_) frame_.destroy();
  }

  class Awaiter {
   public:
    explicit Awaiter(Co& co) noexcept : co_(&co) {}
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent,
                                          std::uint32_t line = __builtin_LINE()) noexcept {
      parent.promise().line = line;
      promise_type& child = co_->promise();
      child.continuation = parent;
      child.scope = parent.promise().scope;
      child.set_owner(co_->frame_);
      return detail::transfer(co_->frame_);
    }
    T await_resume() { return co_->promise().take(); }

   private:
    Co* co_;
  };
  Awaiter operator co_await() && noexcept { return Awaiter(*this); }

  // Gives the coroutine to something that will run it.
  detail::Body<T> release() && noexcept {
    const FrameHandle frame = std::exchange(frame_, nullptr);
    return detail::Body<T>(detail::Body<T>::Handle::from_address(frame.address()));
  }

 private:
  friend promise_type;
  explicit Co(std::coroutine_handle<promise_type> frame) noexcept
      : frame_(detail::untyped(frame)) {}
  promise_type& promise() const noexcept { return static_cast<promise_type&>(frame_.promise()); }
  FrameHandle frame_;
};

namespace detail {

template <class T>
Co<T> Promise<T>::get_return_object(const char* function_name) noexcept {
  const auto frame = std::coroutine_handle<Promise>::from_promise(*this);
  check_frame(frame.address());
  function = function_name;
  return Co<T>(frame);
}

inline Co<void> Promise<void>::get_return_object(const char* function_name) noexcept {
  const auto frame = std::coroutine_handle<Promise>::from_promise(*this);
  check_frame(frame.address());
  function = function_name;
  return Co<void>(frame);
}

}  // namespace detail
}  // namespace fermata

#endif  // SERVICES_ASYNC_CO_H_

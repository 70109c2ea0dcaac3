// Generator<T>: a coroutine that gives values one by one. Python's async generator.
//
//   Generator<std::string> lines(Stream& stream) {
//     for (;;) {
//       std::string line = co_await read_line(stream);
//       if (line.empty()) co_return;
//       co_yield std::move(line);
//     }
//   }
//   Generator<std::string> all = lines(stream);
//   for (;;) {
//     std::optional<std::string> line = co_await all.next();
//     if (!line) break;
//     …
//   }
//
// Lazy: it runs while somebody awaits next(), on that coroutine's loop and in its scope, and stands
// still at its co_yield otherwise. Movable; whoever owns it may drop it at any co_yield, which
// destroys its locals. To give an error, yield an absl::StatusOr, and co_return.
//
// One consumer at a time. One pooled frame for all values: no allocation per value.
#ifndef SERVICES_ASYNC_GENERATOR_H_
#define SERVICES_ASYNC_GENERATOR_H_

#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/promise_base.h"

namespace fermata {

template <class T>
class Generator;

namespace detail {

template <class T>
class GeneratorPromise final : public PromiseBase {
 public:
  GeneratorPromise() noexcept { kind = Kind::kGenerator; }
  inline Generator<T> get_return_object(const char* function = __builtin_FUNCTION()) noexcept;

  // Hands the value to whoever awaits next(), and stands still.
  class Yield {
   public:
    Yield() noexcept {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(
        std::coroutine_handle<GeneratorPromise> frame) const noexcept {
      return transfer(frame.promise().continuation.resolve());
    }
    void await_resume() const noexcept {}
  };
  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  Yield yield_value(U&& value, std::uint32_t at = __builtin_LINE()) {
    line = at;
    value_.emplace(std::forward<U>(value));
    return Yield();
  }
  void return_void() noexcept {}
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  std::optional<T> take() {
    if (exception_ != nullptr) std::rethrow_exception(std::exchange(exception_, nullptr));
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::optional<T> value_;
  std::exception_ptr exception_;
};

}  // namespace detail

template <class T>
class [[nodiscard]] Generator {
 public:
  static_assert(!std::is_reference_v<T>, "yield a pointer");
  using promise_type = detail::GeneratorPromise<T>;
  using value_type = T;

  Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {
    FERMATA_CHECK(!other.running_, "a generator was moved while next() was awaited");
  }
  Generator& operator=(Generator&& other) noexcept {
    FERMATA_CHECK(!running_ && !other.running_, "a generator was moved while next() was awaited");
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Generator() { destroy(); }

  // Wakes with the next value, or nullopt after the last. An exception that left the generator is
  // thrown here, once. On cancel: the generator is cancelled where it waits, and has no more
  // values. On shutdown: as cancelled.
  class [[nodiscard]] Next {
   public:
    explicit Next(Generator& generator) noexcept : generator_(&generator) {}
    Next(const Next&) = delete;
    // Still running: its consumer was cancelled in the middle of a value.
    ~Next() {
      if (awaited_ && generator_->running_) generator_->destroy();
    }
    bool await_ready() const noexcept { return generator_->done(); }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> consumer,
                                          std::uint32_t line = __builtin_LINE()) noexcept {
      FERMATA_CHECK(!generator_->running_, "two coroutines await next() of one generator");
      awaited_ = generator_->running_ = true;
      consumer.promise().line = line;
      promise_type& promise = generator_->frame_.promise();
      promise.continuation = consumer;
      promise.scope = consumer.promise().scope;
      return detail::transfer(generator_->frame_);
    }
    std::optional<T> await_resume() {
      generator_->running_ = false;
      if (generator_->frame_ == nullptr) return std::nullopt;
      return generator_->frame_.promise().take();
    }

   private:
    Generator* generator_;
    bool awaited_ = false;
  };
  Next next() noexcept { return Next(*this); }

  // No value will come any more.
  bool done() const noexcept { return frame_ == nullptr || (!running_ && frame_.done()); }

 private:
  friend promise_type;
  explicit Generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  void destroy() noexcept {
    const detail::Destroying<kChecked> here;
    running_ = false;
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }

  std::coroutine_handle<promise_type> frame_;
  bool running_ = false;
};

namespace detail {

template <class T>
Generator<T> GeneratorPromise<T>::get_return_object(const char* function_name) noexcept {
  const auto frame = std::coroutine_handle<GeneratorPromise>::from_promise(*this);
  check_frame(frame.address());
  function = function_name;
  return Generator<T>(frame);
}

}  // namespace detail
}  // namespace fermata

#endif  // SERVICES_ASYNC_GENERATOR_H_

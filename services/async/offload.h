// offload(fn, args...): a blocking call on another thread. asyncio.to_thread.
//
//   std::string text = co_await offload(&read_file, path);
//
// A function and its arguments, which are moved into the awaiting frame: no allocation, and no
// capturing lambda to die too early. fn runs on a thread of the loop's pool and must not touch
// anything of the loop. An exception it throws is thrown again here.
//
// Wakes when fn has returned. On cancel: at once if fn has not begun; otherwise its end is waited
// for, since it uses the frame, and then the cancellation goes on. On shutdown: as cancelled.
#ifndef SERVICES_ASYNC_OFFLOAD_H_
#define SERVICES_ASYNC_OFFLOAD_H_

#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/scope.h"

namespace fermata {

template <class F, class... A>
class [[nodiscard]] Offload final : public Suspension, private OffloadJob {
  using R = std::invoke_result_t<F, A...>;
  static_assert(!std::is_reference_v<R>, "an offloaded call must return a value");
  using Result = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

 public:
  template <class... U>
  explicit Offload(F fn, U&&... args)
      : Suspension(&Offload::stop),
        OffloadJob(&Offload::work_on_thread, &Offload::done_on_loop),
        fn_(std::move(fn)),
        args_(std::forward<U>(args)...) {}

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    if (!park(detail::untyped(frame))) return;
    begun_ = true;
    context_ = scope().context();
    Loop::current().offload(*this);
  }
  R await_resume() {
    if (exception_ != nullptr) std::rethrow_exception(exception_);
    if constexpr (!std::is_void_v<R>) return *std::move(result_);
  }

 private:
  static void work_on_thread(OffloadJob& job) noexcept {
    Offload& self = static_cast<Offload&>(job);
    detail::offloaded_context = self.context_.get();
    try {
      self.call();
    } catch (...) {
      self.exception_ = std::current_exception();
    }
    detail::offloaded_context = nullptr;
  }
  void call() {
    if constexpr (std::is_void_v<R>) {
      std::apply(std::move(fn_), std::move(args_));
    } else {
      result_.emplace(std::apply(std::move(fn_), std::move(args_)));
    }
  }
  static void done_on_loop(PostNode& node) noexcept {
    static_cast<Offload&>(static_cast<OffloadJob&>(node)).released();
  }
  static bool stop(Suspension& self) noexcept {
    Offload& job = static_cast<Offload&>(self);
    return !job.begun_ || Loop::current().withdraw(job);
  }

  bool begun_ = false;
  ContextRef context_;
  [[no_unique_address]] F fn_;
  [[no_unique_address]] std::tuple<A...> args_;
  std::optional<Result> result_;
  std::exception_ptr exception_;
};

template <class F, class... A>
Offload<std::decay_t<F>, std::decay_t<A>...> offload(F&& fn, A&&... args) {
  return Offload<std::decay_t<F>, std::decay_t<A>...>(std::forward<F>(fn),
                                                      std::forward<A>(args)...);
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_OFFLOAD_H_

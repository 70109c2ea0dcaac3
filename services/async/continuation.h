// Who runs when a coroutine ends: one word.
//
// Either the awaiting frame itself (the common case: resume it), or a Completion, an object that
// looks at the result first and then says who runs. The lowest bit tells them apart. Completions
// are asked in a loop, not by calls, so an error may travel up ten thousand frames on a flat stack.
#ifndef SERVICES_ASYNC_CONTINUATION_H_
#define SERVICES_ASYNC_CONTINUATION_H_

#include <coroutine>
#include <cstdint>

namespace fermata {

class Completion;
class PromiseBase;

class Continuation {
 public:
  constexpr Continuation() noexcept = default;  // nobody: control returns to the loop
  template <class P>
  Continuation(std::coroutine_handle<P> frame) noexcept  // NOLINT: a frame is a continuation
      : bits_(reinterpret_cast<std::uintptr_t>(frame.address())) {}
  Continuation(Completion* completion) noexcept  // NOLINT
      : bits_(reinterpret_cast<std::uintptr_t>(completion) | 1) {}

  explicit operator bool() const noexcept { return bits_ != 0; }
  Completion* completion() const noexcept {
    return (bits_ & 1) != 0 ? reinterpret_cast<Completion*>(bits_ & ~std::uintptr_t{1}) : nullptr;
  }
  std::coroutine_handle<> frame() const noexcept {  // requires completion() == nullptr
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(bits_));
  }

  // Asks completions until a frame, or nobody (a null handle), is named.
  inline std::coroutine_handle<> resolve() const noexcept;

 private:
  std::uintptr_t bits_ = 0;
};

class Completion {
 public:
  // The coroutine that had this as its continuation has ended; its frame still exists and must not
  // be destroyed here, since it is still on its way out of its final suspension.
  virtual Continuation complete() noexcept = 0;
  // The frame that waits behind this completion; null at the root of a task.
  virtual std::coroutine_handle<> awaiting() const noexcept = 0;
  // That coroutine, and its end, if it is owned here: what is left of a chain of calls is destroyed
  // link by link (unwind.h).
  virtual PromiseBase* callee() const noexcept { return nullptr; }
  virtual void destroy_callee() noexcept {}

 protected:
  Completion() = default;
  ~Completion() = default;
};

inline std::coroutine_handle<> Continuation::resolve() const noexcept {
  Continuation next = *this;
  while (Completion* completion = next.completion()) next = completion->complete();
  return next.frame();
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_CONTINUATION_H_

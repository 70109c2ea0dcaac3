// What every coroutine of the core carries: who runs when it ends, the scope it is in, and for ps()
// its function and the line where it is parked. Starts at offset 0 of every promise, so a frame of
// unknown result type is handled as std::coroutine_handle<PromiseBase>.
#ifndef SERVICES_ASYNC_PROMISE_BASE_H_
#define SERVICES_ASYNC_PROMISE_BASE_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "services/async/continuation.h"
#include "services/async/frame_pool.h"
#include "services/async/transfer.h"
#include "services/async/unwind.h"

namespace fermata {

class PromiseBase {
 public:
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  static void* operator new(std::size_t bytes) { return fermata_frame_alloc(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept {
    fermata_frame_free(frame, bytes);
  }

  std::suspend_always initial_suspend() const noexcept { return {}; }

  struct FinalAwaiter {
    FinalAwaiter() noexcept {}
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> frame) const noexcept {
      return detail::transfer(frame.promise().continuation.resolve());
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return FinalAwaiter(); }

  // Try ended it in the middle: there is a result, and its locals, and the calls below it, are
  // still alive. `below` is what it waited for, and owns the first of these.
  bool abandoned() const noexcept { return state_ == State::kAbandoned; }
  void abandon(Completion& below) noexcept {
    state_ = State::kAbandoned;
    continuation = &below;
  }
  // Destroys the calls below an abandoned frame; of others there are none.
  void drop_calls() noexcept {
    if (abandoned()) [[unlikely]] {
      detail::drop_calls(*continuation.completion());
      state_ = State::kValue;
    }
  }
  // Where the frame that awaits this one holds it. Requires that it is a Co's, has no result yet,
  // and that its continuation is a frame.
  inline FrameHandle& owner() noexcept;

  Continuation continuation;
  Scope* scope = nullptr;
  const char* function = "";
  std::uint32_t line = 0;
  enum class Kind : std::uint8_t {
    kCall,
    kLeaf,       // awaits one leaf operation, and ends with it
    kGenerator,  // the frame is owned by an object that may be anywhere
  };
  Kind kind = Kind::kCall;

 protected:
  // What a finished coroutine left behind. Here, in the padding, to keep promises small.
  enum class State : std::uint8_t { kEmpty, kValue, kException, kAbandoned };
  State state_ = State::kEmpty;

  PromiseBase() noexcept = default;
  ~PromiseBase() = default;
};

// Every Co's promise begins the union behind this base with it (co.h): a running coroutine has no
// result yet.
inline FrameHandle& PromiseBase::owner() noexcept {
  return **reinterpret_cast<FrameHandle**>(this + 1);
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_PROMISE_BASE_H_

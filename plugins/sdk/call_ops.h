// Ops of a call that a coroutine waits for: credit, and another stage's result. The awaiter is the
// op's token.
#ifndef PLUGINS_SDK_CALL_OPS_H_
#define PLUGINS_SDK_CALL_OPS_H_

#include <coroutine>
#include <cstdint>
#include <string>
#include <string_view>

#include "plugins/abi/fermata_abi.h"
#include "services/async/co.h"
#include "services/async/scope.h"

namespace fermata {

// Wakes when the op's event is there. On cancel: the op is cancelled, and its event waited for.
class CallOpAwaiter : public Suspension {
 public:
  CallOpAwaiter(const fermata_host& host, fermata_call* call) noexcept
      : Suspension(&CallOpAwaiter::stop), host_(host), call_(call) {}
  virtual ~CallOpAwaiter() = default;

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    if (!park(detail::untyped(frame))) return;
    status_ = submit();
    if (status_ == FERMATA_OK) {
      outstanding_ = true;
    } else {
      wake();
    }
  }

  // The host's event; `event.buf` is borrowed.
  void complete(const fermata_event& event) noexcept {
    if (event.kind == FERMATA_EV_STAGE_CHUNK) return;
    outstanding_ = false;
    status_ = event.status;
    text_.assign(reinterpret_cast<const char*>(event.buf.ptr), event.buf.len);
    released();
  }

 protected:
  virtual fermata_status submit() noexcept = 0;
  uint64_t token() noexcept { return reinterpret_cast<uint64_t>(this); }

  const fermata_host& host_;
  fermata_call* call_;
  fermata_status status_ = FERMATA_OK;
  std::string text_;

 private:
  static bool stop(Suspension& self) noexcept {
    auto& awaiter = static_cast<CallOpAwaiter&>(self);
    if (!awaiter.outstanding_) return true;
    (void)awaiter.host_.cancel_op(awaiter.call_, awaiter.token());
    return false;
  }
  bool outstanding_ = false;
};

class AwaitCredit final : public CallOpAwaiter {
 public:
  using CallOpAwaiter::CallOpAwaiter;
  fermata_status await_resume() const noexcept { return status_; }

 private:
  fermata_status submit() noexcept override { return host_.await_credit(call_, token(), 0); }
};

struct StageAnswer {
  StageAnswer(fermata_status status, std::string text) : status(status), text(std::move(text)) {}
  fermata_status status;
  std::string text;  // the output, or what went wrong
};

class AwaitStage final : public CallOpAwaiter {
 public:
  AwaitStage(const fermata_host& host, fermata_call* call, std::string_view stage,
             std::string_view input) noexcept
      : CallOpAwaiter(host, call), stage_(stage), input_(input) {}
  StageAnswer await_resume() noexcept { return StageAnswer(status_, std::move(text_)); }

 private:
  fermata_status submit() noexcept override {
    const fermata_buf input = {
        const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(input_.data())), input_.size(),
        nullptr};
    return host_.call_stage(call_, token(), {stage_.data(), stage_.size()}, &input, 0, 0);
  }
  std::string_view stage_;
  std::string_view input_;
};

}  // namespace fermata

#endif  // PLUGINS_SDK_CALL_OPS_H_

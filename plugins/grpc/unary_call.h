// UnaryCall: one gRPC call as something to co_await, and the hand-over from gRPC's threads.
//
//   gRPC's thread   writes status_ and response_, then Loop::post() (release)
//   loop thread     takes the post (acquire), then reads them and goes on
//
// That is the only thing a thread of gRPC's does here. The message goes in and out as bytes: no
// generated code, no Protobuf. Loop thread otherwise; the arguments outlive it.
#ifndef FERMATA_PLUGINS_GRPC_UNARY_CALL_H_
#define FERMATA_PLUGINS_GRPC_UNARY_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <coroutine>
#include <cstdint>
#include <string>

#include "services/async/async.h"

namespace fermata::grpc_call {

class [[nodiscard]] UnaryCall final : public Suspension, private PostNode {
 public:
  UnaryCall(grpc::GenericStub& stub, grpc::ClientContext& context, const std::string& method,
            const grpc::ByteBuffer& request, grpc::ByteBuffer& response)
      : Suspension(&UnaryCall::stop),
        PostNode(&UnaryCall::on_loop),
        stub_(stub),
        context_(context),
        method_(method),
        request_(request),
        response_(response) {}

  bool await_ready() const noexcept { return false; }
  // Wakes when the call is over. On cancel: the call is cancelled, and its end, which comes at
  // once, waited for. On shutdown: as cancelled.
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame, std::uint32_t line = __builtin_LINE()) {
    frame.promise().line = line;
    if (!park(detail::untyped(frame))) return;
    begun_ = true;
    loop_ = &Loop::current();
    stub_.UnaryCall(&context_, method_, grpc::StubOptions(), &request_, &response_,
                    [this](grpc::Status status) {
                      status_ = std::move(status);
                      loop_->post(*this);
                    });
  }
  grpc::Status await_resume() { return std::move(status_); }

 private:
  static bool stop(Suspension& self) noexcept {
    auto& call = static_cast<UnaryCall&>(self);
    if (call.begun_) call.context_.TryCancel();
    return !call.begun_;
  }
  static void on_loop(PostNode& node) noexcept { static_cast<UnaryCall&>(node).released(); }

  grpc::GenericStub& stub_;
  grpc::ClientContext& context_;
  const std::string& method_;
  const grpc::ByteBuffer& request_;
  grpc::ByteBuffer& response_;
  Loop* loop_ = nullptr;
  bool begun_ = false;
  grpc::Status status_;
};

}  // namespace fermata::grpc_call

#endif  // FERMATA_PLUGINS_GRPC_UNARY_CALL_H_

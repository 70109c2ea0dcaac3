// UnaryCall<Method>: one request, one answer. A Method says what is special about it:
//
//   struct GetMethod {
//     using Request = v1::GetJobRequest;
//     using Prepared = std::string;                       // what prepare() makes of the request
//     static constexpr RpcMethod kMethod = RpcMethod::kGet;
//     static absl::StatusOr<Prepared> prepare(const RpcLimits&, Request&);   // gRPC's thread
//     static Co<absl::StatusOr<Encoded>> answer(RpcHub&, CallContext&, Request&,
//                                               Prepared&);                            // loop
//   };
//
// The request lives on an arena inside the call, whose first block is part of the call itself: a
// small request costs one allocation in all. prepare() may move strings out of it.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "google/protobuf/arena.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "services/frontend/gate.h"
#include "services/frontend/rpc_call.h"
#include "services/frontend/rpc_hub.h"
#include "services/frontend/rpc_status.h"
#include "services/frontend/wire.h"

namespace fermata::frontend {

template <class Method>
class UnaryCall final : public RpcCall, public grpc::ServerUnaryReactor {
 public:
  // gRPC's thread. The call deletes itself.
  static grpc::ServerUnaryReactor* start(RpcHub& hub, const grpc::ServerContextBase& context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* answer) {
    absl::StatusOr<CallContext> admitted = admit(hub, Method::kMethod, context, request.Length());
    if (!admitted.ok()) {
      return new RefusedCall<grpc::ServerUnaryReactor>(to_rpc_status(admitted.status()));
    }
    auto* call = new UnaryCall(hub, *std::move(admitted), answer);
    call->decode_request(request);
    call->RpcCall::start();
    return call;
  }

 private:
  using Request = typename Method::Request;

  UnaryCall(RpcHub& hub, CallContext context, grpc::ByteBuffer* answer)
      : RpcCall(hub, Method::kMethod, std::move(context)),
        arena_(block_, sizeof block_),
        request_(google::protobuf::Arena::CreateMessage<Request>(&arena_)),
        prepared_(absl::UnknownError("not decoded")),
        answer_(answer) {}
  ~UnaryCall() override = default;

  void decode_request(const grpc::ByteBuffer& bytes) {
    const absl::Status decoded = decode(bytes, *request_);
    if (decoded.ok()) {
      prepared_ = Method::prepare(hub().limits, *request_);
    } else {
      prepared_ = decoded;
    }
  }

  Co<absl::Status> work() override {
    if (!prepared_.ok()) co_return prepared_.status();
    context().lease.hold(0);  // a payload is the engine's from here, and counted there
    absl::StatusOr<Encoded> answer =
        co_await Method::answer(hub(), context(), *request_, *prepared_);
    if (!answer.ok()) co_return answer.status();
    answer->move_to(answer_);
    const absl::Status room = context().lease.take_answer(answer_->Length());  // until it is sent
    if (!room.ok()) answer_->Clear();
    co_return room;
  }

  void send_end(grpc::Status status) override { Finish(std::move(status)); }

  void OnCancel() override { client_left(); }
  void OnDone() override { drop(); }
  // OnCancel and OnDone only post or count, so gRPC may call them where it is, as it does for its
  // own default reactor, instead of waking one more thread per call.
  bool InternalInlineable() override { return true; }

  char block_[1024];
  google::protobuf::Arena arena_;
  Request* request_;  // on the arena
  absl::StatusOr<typename Method::Prepared> prepared_;
  grpc::ByteBuffer* answer_;  // gRPC's own; valid until OnDone
};

}  // namespace fermata::frontend

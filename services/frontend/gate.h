// The gate: what every call passes on gRPC's thread before one byte of it is decoded. Who is it,
// have they the permission that the method asks for on any queue at all, is there room. Who is
// turned away here costs the loop nothing, and is told the same whether or not what they named
// exists.
//
// Permissions on a certain queue are asked for later, when the queue is known: job_access.h.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "services/frontend/call_context.h"
#include "services/frontend/rpc_hub.h"
#include "services/frontend/rpc_method.h"

namespace fermata::frontend {

// gRPC's thread.
absl::StatusOr<CallContext> admit(RpcHub& hub, RpcMethod method,
                                  const grpc::ServerContextBase& context, size_t request_bytes);

// The reactor of a call that was not let in: tells why and deletes itself.
template <class Reactor>
class RefusedCall final : public Reactor {
 public:
  explicit RefusedCall(grpc::Status why) { this->Finish(std::move(why)); }

 private:
  ~RefusedCall() override = default;
  void OnDone() override { delete this; }
};

// For the audit, when there is one: how the call ended. Any thread.
void audit_end(RpcHub& hub, RpcMethod method, const CallContext& call, const absl::Status& status);

}  // namespace fermata::frontend

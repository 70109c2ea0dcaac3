// WatchCall: Jobs.Watch, a stream of events.
//
// One event is on its way to the client at a time; the next one is read when gRPC has taken the
// last. What happens meanwhile waits in the engine's bounded log, where a reader that is too slow
// finds a snapshot: so a stalled client costs one event's bytes here, however long it stalls.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "services/frontend/rpc_call.h"

namespace fermata::frontend {

class WatchCall final : public RpcCall, public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // gRPC's thread. The call deletes itself.
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* start(RpcHub& hub,
                                                           const grpc::ServerContextBase& context,
                                                           const grpc::ByteBuffer& request);

 private:
  struct Prepared {
    std::string id;
    int64_t after_sequence = 0;
  };
  struct WriteNode : PostNode {
    explicit WriteNode(WatchCall& call);
    WatchCall& call;
  };

  WatchCall(RpcHub& hub, CallContext context, const grpc::ByteBuffer& request);
  ~WatchCall() override = default;

  static absl::StatusOr<Prepared> prepare(const grpc::ByteBuffer& bytes);
  static void write_done(PostNode& node) noexcept;
  static void write_dropped(PostNode& node) noexcept;

  Co<absl::Status> work() override;
  void send_end(grpc::Status status) override { Finish(std::move(status)); }

  void OnWriteDone(bool ok) override;
  void OnCancel() override { client_left(); }
  void OnDone() override { drop(); }

  absl::StatusOr<Prepared> prepared_;
  grpc::ByteBuffer outgoing_;  // gRPC's from StartWrite until OnWriteDone
  WriteNode write_node_;
  bool write_ok_ = true;  // handed over by write_node_
  Event written_;         // loop thread
};

}  // namespace fermata::frontend

#include "services/frontend/watch_call.h"

#include <optional>
#include <utility>

#include "fermata/v1/jobs.pb.h"
#include "services/config/str_cat.h"
#include "services/engine/engine.h"
#include "services/frontend/gate.h"
#include "services/frontend/job_access.h"
#include "services/frontend/job_message.h"
#include "services/frontend/resource_name.h"
#include "services/frontend/rpc_hub.h"
#include "services/frontend/rpc_status.h"
#include "services/frontend/wire.h"

namespace fermata::frontend {

grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchCall::start(RpcHub& hub,
                                                             const grpc::ServerContextBase& context,
                                                             const grpc::ByteBuffer& request) {
  absl::StatusOr<CallContext> admitted = admit(hub, RpcMethod::kWatch, context, request.Length());
  if (!admitted.ok()) {
    return new RefusedCall<grpc::ServerWriteReactor<grpc::ByteBuffer>>(
        to_rpc_status(admitted.status()));
  }
  auto* call = new WatchCall(hub, *std::move(admitted), request);
  call->RpcCall::start();
  return call;
}

WatchCall::WatchCall(RpcHub& hub, CallContext context, const grpc::ByteBuffer& request)
    : RpcCall(hub, RpcMethod::kWatch, std::move(context)),
      prepared_(prepare(request)),
      write_node_(*this) {}

WatchCall::WriteNode::WriteNode(WatchCall& call) : PostNode(&WatchCall::write_done), call(call) {
  drop = &WatchCall::write_dropped;
}

absl::StatusOr<WatchCall::Prepared> WatchCall::prepare(const grpc::ByteBuffer& bytes) {
  v1::WatchJobRequest request;
  absl::Status status = decode(bytes, request);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> id = job_id_of(request.name());
  if (!id.ok()) return id.status();
  if (request.after_sequence() < 0) {
    return invalid_field("after_sequence",
                         str_cat("expected 0 or more, got ", request.after_sequence()));
  }
  return Prepared{*std::move(id), request.after_sequence()};
}

Co<absl::Status> WatchCall::work() {
  if (!prepared_.ok()) co_return prepared_.status();
  if (must_check(context(), Permission::kRead)) {
    const absl::Status allowed =
        co_await check_job(hub(), context(), prepared_->id, Permission::kRead);
    if (!allowed.ok()) co_return allowed;
  }
  absl::StatusOr<Watch> watch =
      co_await hub().backend.engine.watch(prepared_->id, prepared_->after_sequence);
  if (!watch.ok()) co_return watch.status();
  while (true) {
    const std::optional<JobEvent> event = co_await watch->next();
    if (!event.has_value()) {
      co_return watch->left() ? job_left(prepared_->id) : absl::OkStatus();
    }
    outgoing_ = encode_event(*event);
    context().lease.hold(outgoing_.Length());
    written_.clear();
    add();  // dropped when the write is done
    StartWrite(&outgoing_);
    co_await written_.wait();
    if (!write_ok_) co_return absl::CancelledError("the client has left");
  }
}

void WatchCall::OnWriteDone(bool ok) {
  write_ok_ = ok;
  hub().loop.post(write_node_);
}

void WatchCall::write_done(PostNode& node) noexcept {
  WatchCall& call = static_cast<WriteNode&>(node).call;
  call.written_.set();
  call.drop();
}

void WatchCall::write_dropped(PostNode& node) noexcept {
  static_cast<WriteNode&>(node).call.drop();
}

}  // namespace fermata::frontend

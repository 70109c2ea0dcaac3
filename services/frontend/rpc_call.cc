#include "services/frontend/rpc_call.h"

#include "absl/time/clock.h"
#include "services/engine/errors.h"
#include "services/frontend/gate.h"
#include "services/frontend/revocation.h"
#include "services/frontend/rpc_hub.h"
#include "services/frontend/rpc_status.h"

namespace fermata::frontend {

RpcCall::Ending::~Ending() {
  if (!call_) return;  // moved from
  RpcCall& call = *call_;
  call.task_ = Task<void>();
  if (!status.has_value()) {
    status = call.hub_.stopping    ? draining()
             : !call.revoked_.ok() ? call.revoked_
                                   : absl::CancelledError("the call was cancelled");
  }
  call.end(*status);
}

RpcCall::Node::Node(PostNode::Run run, RpcCall& call) : PostNode(run), call(call) {
  drop = &RpcCall::loop_gone;
}

RpcCall::RpcCall(RpcHub& hub, RpcMethod method, CallContext context)
    : hub_(hub),
      context_(std::move(context)),
      started_ns_(absl::GetCurrentTimeNanos()),
      begin_node_(&RpcCall::begin, *this),
      cancel_node_(&RpcCall::cancel, *this),
      method_(method) {}

void RpcCall::start() {
  add();  // dropped by begin()
  hub_.loop.post(begin_node_);
}

void RpcCall::client_left() {
  add();  // dropped by cancel()
  hub_.loop.post(cancel_node_);
}

void RpcCall::revoke(absl::Status why) {
  revoked_ = std::move(why);
  if (task_) task_.cancel();
}

void RpcCall::drop() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void RpcCall::begin(PostNode& node) noexcept {
  RpcCall& call = static_cast<Node&>(node).call;
  call.hub_.counters.in_progress[static_cast<size_t>(call.method_)].add();
  if (call.hub_.group == nullptr) {
    call.end(draining());
  } else {
    if (call.caller() != nullptr && lasts(call.method_)) call.hub_.lasting.insert(&call);
    call.task_ = call.hub_.group->spawn_named(kRpcMethodNames[static_cast<size_t>(call.method_)],
                                              &RpcCall::serve, Ending(Ref(call)));
    // A group that is being cancelled ends it before it begins; handles stay on this thread.
    if (call.ended_) call.task_ = Task<void>();
  }
  call.drop();
}

Co<void> RpcCall::serve(Ending ending) { ending.status = co_await ending.call().work(); }

void RpcCall::cancel(PostNode& node) noexcept {
  RpcCall& call = static_cast<Node&>(node).call;
  if (call.task_) call.task_.cancel();
  call.drop();
}

void RpcCall::loop_gone(PostNode& node) noexcept {
  RpcCall& call = static_cast<Node&>(node).call;
  const bool begun = &node == &call.cancel_node_;
  if (!begun) call.send_end(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server has stopped"));
  call.drop();
}

void RpcCall::end(const absl::Status& status) {
  FERMATA_CHECK(!ended_, "a call was answered twice");
  ended_ = true;
  if (caller() != nullptr) hub_.lasting.erase(this);
  const size_t method = static_cast<size_t>(method_);
  RpcCounters& counters = hub_.counters;
  counters.in_progress[method].sub();
  counters.ended[method][static_cast<size_t>(status.code()) % kRpcCodes].add();
  counters.duration[method].observe(absl::GetCurrentTimeNanos() - started_ns_);
  audit_end(hub_, method_, context_, status);
  send_end(to_rpc_status(status));
}

}  // namespace fermata::frontend

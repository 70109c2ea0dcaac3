// RpcCall: what every call has in common, from its first byte on gRPC's thread to its last.
//
//   gRPC's thread            the loop's thread
//   ─────────────            ─────────────────
//   decode, validate
//   start() ──── post ─────► begin: spawn the call's task
//   OnCancel ─── post ─────► cancel the task; its frames are destroyed, which finishes the call
//   OnDone ◄─── Finish ───── the task ends, or is cancelled
//
// Owned by its references: one of gRPC (from creation until OnDone), one of the loop (from start()
// until the task has ended), one of a cancellation on its way. The last one deletes it, on either
// thread. That count is the only thing here that two threads touch at once:
//   add   relaxed   whoever adds holds a reference already.
//   drop  acq_rel   everything done through a reference comes before the deletion.
// All else is handed over by post(), which releases and acquires.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"
#include "services/async/async.h"
#include "services/frontend/call_context.h"
#include "services/frontend/rpc_method.h"

namespace fermata::frontend {

class RpcHub;

class RpcCall {
 public:
  RpcCall(const RpcCall&) = delete;
  RpcCall& operator=(const RpcCall&) = delete;

  // gRPC's thread, once, when everything is decoded: hands the call to the loop.
  void start();

  // Loop thread: ends the call with `why`, if it has not ended yet.
  void revoke(absl::Status why);
  const Caller& caller() const { return context_.caller; }

  // A reference; moved into the call's task.
  class Ref {
   public:
    explicit Ref(RpcCall& call) : call_(&call) { call_->add(); }
    Ref(const Ref&) = delete;
    Ref(Ref&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
    Ref& operator=(Ref&&) = delete;
    ~Ref() {
      if (call_ != nullptr) call_->drop();
    }
    explicit operator bool() const { return call_ != nullptr; }
    RpcCall& operator*() const { return *call_; }

   private:
    RpcCall* call_;
  };

 protected:
  RpcCall(RpcHub& hub, RpcMethod method, CallContext context);
  virtual ~RpcCall() = default;

  RpcHub& hub() const { return hub_; }
  CallContext& context() { return context_; }  // loop thread

  // Loop thread: does the work and says how the call ends. May be cancelled at any suspension.
  virtual Co<absl::Status> work() = 0;
  // Loop thread, exactly once, as the last thing: sends the end to the client.
  virtual void send_end(grpc::Status status) = 0;

  // References for what is on its way between the threads.
  void add() { references_.fetch_add(1, std::memory_order_relaxed); }
  // For OnCancel and OnDone of gRPC's reactors.
  void client_left();
  void drop();

 private:
  struct Node : PostNode {
    Node(PostNode::Run run, RpcCall& call);
    RpcCall& call;
  };
  // Finishes the call when the task's frame goes, however it goes: by its end, destroyed by a
  // cancellation where no code of the task runs but destructors, or dropped before it began.
  class Ending {
   public:
    explicit Ending(Ref call) : call_(std::move(call)) {}
    Ending(Ending&&) = default;
    ~Ending();
    RpcCall& call() { return *call_; }
    std::optional<absl::Status> status;  // none: the task was cancelled

   private:
    Ref call_;
  };

  static Co<void> serve(Ending ending);
  static void begin(PostNode& node) noexcept;
  static void cancel(PostNode& node) noexcept;
  static void loop_gone(PostNode& node) noexcept;
  void end(const absl::Status& status);

  RpcHub& hub_;
  CallContext context_;
  const int64_t started_ns_;
  Task<void> task_;       // loop thread; set while the task runs
  absl::Status revoked_;  // loop thread; why its task was cancelled, if it was not the client
  Node begin_node_;
  Node cancel_node_;
  std::atomic<int> references_{1};
  const RpcMethod method_;
  bool ended_ = false;  // loop thread
};

}  // namespace fermata::frontend

// StageCall: one attempt of one job in one stage, driven from the first start() to the last
// finish().
//
//   kNew -- start() --> kRunning -- OK or an error returned --> kEnding --> kFinished
//                       one resume()                            until no blocking code and
//                       per event                               no sub-stage of it runs
//
// The rules of fermata_abi.h are kept here: exactly one event per op, nothing delivered after a
// terminal return, no entry into the plugin from inside a host function, PENDING with nothing
// outstanding is a bug and ends the call. Cancelling ends the ops that can be ended and waits for
// the rest; after the grace period the call is abandoned: its owner gets an answer, the call itself
// stays until the plugin lets go. An instance's root call is one of these too, without a state of
// its own. Owned by its instance; loop thread only, except where said.
#ifndef SERVICES_STAGES_STAGE_CALL_H_
#define SERVICES_STAGES_STAGE_CALL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/async/frame_pool.h"
#include "services/async/loop.h"
#include "services/stages/buffer.h"
#include "services/stages/call_op.h"
#include "services/stages/handles.h"
#include "services/stages/op_table.h"
#include "services/stages/running_call.h"
#include "services/stages/stages.h"
#include "services/stages/worker_mail.h"

namespace fermata {

class StageInstance;

class StageCall final : public fermata_call, public RunningCall {
 public:
  struct RootTag {};
  StageCall(StageInstance& instance, Owner* owner, StageCallSpec&& spec);
  StageCall(StageInstance& instance, RootTag);  // the instance's root call
  ~StageCall();

  static void* operator new(size_t bytes) noexcept { return fermata_frame_alloc(bytes); }
  static void operator delete(void* call, size_t bytes) noexcept {
    fermata_frame_free(call, bytes);
  }

  void start_now() noexcept override;
  void start_later() noexcept override;
  void cancel(uint32_t reason) noexcept override;
  void disown(uint32_t reason) noexcept override;
  // Cancelled so that another version runs its job: its outcome says so.
  void preempt() noexcept {
    preempted_ = preempted_ || cancel_reason() == 0;
    cancel(FERMATA_CANCEL_SHUTDOWN);
  }

  // The root call, when the plugin's object is gone or never was: its ops are dropped, new ones
  // refused.
  void retire() noexcept;

  void take_outcome(StageOutcome& outcome) override;
  // The same without the output.
  void tell_outcome(StageOutcome& outcome) const;
  fermata_status status() const noexcept override {
    return flooded_ ? FERMATA_E_INVALID : status_;  // whatever the stage says of itself
  }
  StageResult result() const noexcept;
  const std::string& failure_message() const noexcept { return failure_.message; }
  const Buffer& output() const noexcept { return output_; }

  StageInstance& instance() const noexcept { return instance_; }
  const StageCallSpec& spec() const noexcept { return spec_; }
  bool is_root() const noexcept { return root_; }
  // Nothing outstanding, nothing on its way.
  bool quiet() const noexcept { return ops_.empty() && !delivery_queued_ && !delivering_; }
  // Any thread.
  uint32_t cancel_reason() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

  // ---- for the host table: called by the plugin -----------------------------------------------
  fermata_status sleep_until(uint64_t token, uint64_t deadline_ns, uint32_t flags);
  fermata_status poll_fd(uint64_t token, int fd, uint32_t poll_events, uint32_t flags);
  fermata_status offload(uint64_t token, uint32_t flags);
  fermata_status call_stage(uint64_t token, std::string_view stage, const fermata_buf& input,
                            uint64_t deadline_ns, uint32_t flags);
  fermata_status await_credit(uint64_t token, uint32_t flags);
  fermata_status await_wake(uint64_t token, uint32_t flags);
  fermata_status wake(uint64_t token, uint64_t value);
  fermata_status cancel_op(uint64_t token);
  fermata_status new_waker(uint64_t token, uint32_t flags, fermata_waker** out);
  fermata_status emit(const fermata_buf& bytes, uint32_t flags);
  void log(uint32_t level, std::string_view message);     // [loop|worker]
  void progress(double fraction, std::string_view note);  // [loop|worker]
  void fail_detail(const fermata_failure& failure);       // [loop|worker]

  // ---- for ops --------------------------------------------------------------------------------
  // At the loop's top level: delivers at once when nothing is queued before it.
  void complete_now(CallOp& op, fermata_status status) noexcept;
  // From inside a host function, or with other calls on the stack.
  void complete_later(CallOp& op, fermata_status status) noexcept;
  void chunk_from_child(uint64_t token, const Buffer& bytes) noexcept;
  void take_worker_mail(WorkerMail::Taker taker) noexcept;
  // A stage that this one called lost its process.
  void lost_below(const StageOutcome& outcome) noexcept {
    lost_below_ = true;
    crashed_below_ = crashed_below_ || !outcome.preempted;
    unsafe_below_ = unsafe_below_ || !outcome.retryable;
  }

  // ---- in a plugin's own process: a chunk has left for the server; some have arrived there ----
  void owe_credit() noexcept { ++owed_; }
  void credit_came(uint32_t chunks) noexcept;

  // Links of the instance's list of calls.
  StageCall* previous = nullptr;
  StageCall* next = nullptr;

 private:
  enum class State : uint8_t { kNew, kRunning, kEnding, kFinished };
  struct WorkerBox;

  // OK when an op with this token may begin.
  fermata_status admit(uint64_t token, uint32_t flags) const noexcept;
  void queue_completed(CallOp& op, fermata_status status) noexcept;
  void queue_delivery() noexcept;
  static void run_delivery(Runnable* runnable) noexcept;
  void deliver_all() noexcept;
  void deliver(CallOp& op) noexcept;
  void settle(fermata_status returned) noexcept;
  void end(fermata_status status, std::string_view bug = {}) noexcept;
  void unlink_completed(CallOp& op) noexcept;
  void drop_op(CallOp& op) noexcept;
  void finish_if_free() noexcept;
  void abandon() noexcept;
  void tell_owner() noexcept;
  void free_if_unused() noexcept;
  static void timer_fired(Timer& timer) noexcept;
  absl::Status absl_status() const;

  StageInstance& instance_;
  Owner* owner_;
  void* state_ = nullptr;
  StageCallSpec spec_;
  OpTable ops_;                        // accepted, their event not delivered yet
  CallOp* first_completed_ = nullptr;  // of those: completed, in order
  CallOp* last_completed_ = nullptr;
  Buffer output_;
  FailureDetail failure_;
  std::unique_ptr<WorkerBox> box_;
  struct DeliveryRunnable : Runnable {
    explicit DeliveryRunnable(StageCall& call) noexcept
        : Runnable(&StageCall::run_delivery), call(call) {}
    StageCall& call;
  } delivery_{*this};
  struct CallTimer : Timer {
    explicit CallTimer(StageCall& call) noexcept : Timer(&StageCall::timer_fired), call(call) {}
    StageCall& call;
  } timer_{*this};  // the deadline; after a cancel, the grace period
  int64_t started_ns_ = 0;
  std::atomic<uint32_t> cancelled_{0};
  fermata_status status_ = FERMATA_PENDING;
  uint64_t chunk_bytes_ = 0;
  uint32_t credit_ = 0;
  uint32_t owed_ = 0;  // while there are any, await_credit() waits
  State state_of_call_ = State::kNew;
  bool root_ = false;
  bool delivery_queued_ = false;
  bool delivering_ = false;
  bool abandoned_ = false;
  bool preempted_ = false;
  bool emitted_final_ = false;
  bool flooded_ = false;  // more chunks than the server takes
  bool lost_below_ = false;
  bool crashed_below_ = false;  // in that very call
  bool unsafe_below_ = false;   // in a stage that must not run twice
};

}  // namespace fermata

#endif  // SERVICES_STAGES_STAGE_CALL_H_

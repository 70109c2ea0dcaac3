#include "services/stages/stage_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/stages/absl_view.h"
#include "services/stages/current_call.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/stage_instance.h"
#include "services/stages/worker_box.h"

namespace fermata {

StageCall::StageCall(StageInstance& instance, Owner* owner, StageCallSpec&& spec)
    : instance_(instance),
      owner_(owner),
      spec_(std::move(spec)),
      credit_(instance.host().chunk_credit) {}

StageCall::StageCall(StageInstance& instance, RootTag)
    : instance_(instance), owner_(nullptr), state_of_call_(State::kRunning), root_(true) {}

StageCall::~StageCall() {
  FERMATA_CHECK(!delivery_queued_, "a call was freed while its delivery was queued");
  FERMATA_CHECK(ops_.empty(), "a call was freed while an op of it was outstanding");
}

// ---- life -------------------------------------------------------------------------------------

void StageCall::start_now() noexcept {
  FERMATA_CHECK(state_of_call_ == State::kNew, "a call was started twice");
  state_of_call_ = State::kRunning;
  started_ns_ = instance_.loop().now_ns();
  instance_.counters().begin(spec_.input.size());
  fermata_request request{};
  request.struct_size = sizeof request;
  request.job_id = str_of(spec_.job_id);
  request.trace_parent = str_of(spec_.trace_parent);
  request.attempt = spec_.attempt;
  if (spec_.probe) request.flags |= FERMATA_RQ_PROBE;
  request.deadline_ns = spec_.deadline_ns == TimerHeap::kNever
                            ? 0
                            : static_cast<uint64_t>(std::max<int64_t>(spec_.deadline_ns, 1));
  request.input = spec_.input.raw();
  delivering_ = true;
  fermata_status returned = FERMATA_OK;
  {
    const InPlugin inside(instance_.where(), spec_.job_id.c_str(), spec_.number);
    returned = instance_.abi().start(instance_.object(), this, &request, &state_);
  }
  settle(returned);
  delivering_ = false;
  // Most stages that do not wait never get here as running, and never touch the timer heap.
  if (state_of_call_ == State::kRunning && spec_.deadline_ns != TimerHeap::kNever &&
      cancel_reason() == 0) {
    instance_.loop().timers().arm(timer_, spec_.deadline_ns);
  }
  free_if_unused();
}

void StageCall::start_later() noexcept { queue_delivery(); }

void StageCall::cancel(uint32_t reason) noexcept {
  if (cancel_reason() != 0 || state_of_call_ == State::kFinished) return;
  cancelled_.store(reason, std::memory_order_relaxed);
  instance_.loop().timers().arm(timer_,
                                instance_.loop().now_ns() + instance_.host().cancel_grace_ns);
  if (state_of_call_ == State::kNew) return;  // its start is queued, and will see it
  for (CallOp* op : ops_.all()) {
    if (op->completed || op->shielded()) continue;
    if (op->stop()) queue_completed(*op, FERMATA_E_CANCELLED);
  }
}

void StageCall::disown(uint32_t reason) noexcept {
  owner_ = nullptr;
  spec_.observer = nullptr;
  if (state_of_call_ == State::kNew && !delivery_queued_) {  // was never started
    instance_.remove_call(*this);
    return;
  }
  cancel(reason);
}

void StageCall::timer_fired(Timer& timer) noexcept {
  StageCall& call = static_cast<CallTimer&>(timer).call;
  if (call.cancel_reason() == 0) {
    call.cancel(FERMATA_CANCEL_DEADLINE);
  } else {
    call.abandon();
  }
}

// The plugin does not let go. Whoever waits gets an answer; the call itself stays, and pins the
// plugin's code.
void StageCall::abandon() noexcept {
  if (root_) {
    instance_.abandon();
    return;
  }
  if (abandoned_ || state_of_call_ == State::kFinished) return;
  abandoned_ = true;
  if (state_of_call_ == State::kNew) return;
  instance_.counters().end(StageResult::kAbandoned, instance_.loop().now_ns() - started_ns_, 0);
  ++instance_.counters().abandoned;
  instance_.log(this, FERMATA_LOG_ERROR,
                "did not let go within the grace period after it was cancelled");
  tell_owner();
}

void StageCall::settle(fermata_status returned) noexcept {
  if (state_of_call_ != State::kRunning) return;
  if (returned == FERMATA_PENDING) {
    if (ops_.empty()) {
      end(FERMATA_E_INTERNAL, "returned PENDING with nothing outstanding: it would wait for ever");
    }
    return;
  }
  if (returned > 0) {
    end(FERMATA_E_INTERNAL,
        absl::StrCat("returned ", returned, ", expected OK, PENDING or an error"));
    return;
  }
  end(returned < FERMATA_E_LOST ? FERMATA_E_INTERNAL : returned);
}

void StageCall::end(fermata_status status, std::string_view bug) noexcept {
  state_of_call_ = State::kEnding;
  status_ = status;
  if (!bug.empty()) {
    failure_.message = std::string(bug);
    instance_.log(this, FERMATA_LOG_ERROR, bug);
  }
  if (!ops_.empty()) {
    for (CallOp* op : ops_.all()) {
      if (op->completed || op->stop()) drop_op(*op);
    }
  }
  while (first_completed_ != nullptr) {  // what is left in the queue are chunks
    CallOp* op = std::exchange(first_completed_, first_completed_->next);
    drop_op(*op);
  }
  last_completed_ = nullptr;
  if (!ops_.empty() && cancel_reason() == 0) {
    // Threads still run for it: tell them, and do not wait longer than for a cancelled call.
    cancelled_.store(FERMATA_CANCEL_REQUESTED, std::memory_order_relaxed);
    instance_.loop().timers().arm(timer_,
                                  instance_.loop().now_ns() + instance_.host().cancel_grace_ns);
  }
  finish_if_free();
}

void StageCall::finish_if_free() noexcept {
  if (state_of_call_ != State::kEnding || !ops_.empty()) return;
  state_of_call_ = State::kFinished;
  timer_.disarm();
  if (root_) return;
  if (state_ != nullptr) {
    const InPlugin inside(instance_.where(), spec_.job_id.c_str(), spec_.number);
    instance_.abi().finish(state_);
  }
  if (abandoned_) {
    --instance_.counters().abandoned;
  } else {
    const int64_t elapsed_ns = instance_.loop().now_ns() - started_ns_;
    instance_.counters().end(result(), elapsed_ns, output_.size());
  }
  tell_owner();
}

void StageCall::retire() noexcept {
  FERMATA_CHECK(root_, "only an instance's root call is retired");
  if (state_of_call_ == State::kRunning) end(FERMATA_E_CLOSED);
}

void StageCall::tell_owner() noexcept {
  if (spec_.hold.generation() != nullptr) {
    StageOutcome outcome;
    tell_outcome(outcome);
    spec_.hold.note(outcome);
  }
  Owner* owner = std::exchange(owner_, nullptr);
  if (owner != nullptr) owner->call_ended(*this);
  spec_.observer = nullptr;
  spec_.hold.reset();
}

void StageCall::free_if_unused() noexcept {
  if (delivering_ || delivery_queued_) return;
  if (root_) {
    instance_.destroy_if_quiet();
  } else if (state_of_call_ == State::kFinished) {
    instance_.remove_call(*this);
  }
}

// ---- events -----------------------------------------------------------------------------------

void StageCall::drop_op(CallOp& op) noexcept {
  if (op.event.kind != FERMATA_EV_STAGE_CHUNK) {
    if (op.completed) unlink_completed(op);
    ops_.erase(op);
  }
  const std::unique_ptr<CallOp> owned(&op);
  if (op.event.buf.ref != nullptr) instance_.release(op.event.buf);
}

void StageCall::unlink_completed(CallOp& op) noexcept {
  CallOp** at = &first_completed_;
  CallOp* before = nullptr;
  while (*at != nullptr && *at != &op) {
    before = *at;
    at = &(*at)->next;
  }
  if (*at == nullptr) return;
  *at = op.next;
  if (last_completed_ == &op) last_completed_ = before;
}

void StageCall::queue_completed(CallOp& op, fermata_status status) noexcept {
  op.completed = true;
  op.event.status = status;
  if (status == FERMATA_E_CANCELLED && op.event.value == 0) op.event.value = cancel_reason();
  (last_completed_ != nullptr ? last_completed_->next : first_completed_) = &op;
  last_completed_ = &op;
  queue_delivery();
}

void StageCall::complete_later(CallOp& op, fermata_status status) noexcept {
  if (state_of_call_ != State::kEnding) {
    queue_completed(op, status);
    return;
  }
  drop_op(op);
  finish_if_free();
  free_if_unused();
}

void StageCall::complete_now(CallOp& op, fermata_status status) noexcept {
  const bool first = first_completed_ == nullptr && !delivery_queued_ && !delivering_;
  if (state_of_call_ == State::kEnding || !first) {
    complete_later(op, status);
    return;
  }
  op.completed = true;
  op.event.status = status;
  if (status == FERMATA_E_CANCELLED && op.event.value == 0) op.event.value = cancel_reason();
  delivering_ = true;
  deliver(op);
  delivering_ = false;
  free_if_unused();
}

void StageCall::queue_delivery() noexcept {
  if (std::exchange(delivery_queued_, true)) return;
  instance_.loop().ready(delivery_);
}

void StageCall::run_delivery(Runnable* runnable) noexcept {
  StageCall& call = static_cast<DeliveryRunnable*>(runnable)->call;
  call.delivery_queued_ = false;
  if (call.state_of_call_ != State::kNew) {
    call.deliver_all();
    return;
  }
  if (call.cancel_reason() == 0) {
    call.start_now();
    return;
  }
  call.state_of_call_ = State::kRunning;
  call.started_ns_ = call.instance_.loop().now_ns();
  call.instance_.counters().begin(call.spec_.input.size());
  call.abandoned_ = false;
  call.end(FERMATA_E_CANCELLED);
  call.free_if_unused();
}

// What is completed by these deliveries waits for the next turn: nobody is starved.
void StageCall::deliver_all() noexcept {
  delivering_ = true;
  CallOp* const last = last_completed_;
  while (first_completed_ != nullptr) {
    CallOp* op = std::exchange(first_completed_, first_completed_->next);
    if (first_completed_ == nullptr) last_completed_ = nullptr;
    const bool was_last = op == last;
    deliver(*op);
    if (was_last) break;
  }
  delivering_ = false;
  if (first_completed_ != nullptr) queue_delivery();
  free_if_unused();
}

void StageCall::deliver(CallOp& op) noexcept {
  const std::unique_ptr<CallOp> owned(&op);
  op.next = nullptr;
  if (op.event.kind != FERMATA_EV_STAGE_CHUNK) ops_.erase(op);
  if (op.event.kind == FERMATA_EV_CREDIT) credit_ = instance_.host().chunk_credit;
  fermata_status returned = FERMATA_PENDING;
  {
    const InPlugin inside(instance_.where(), spec_.job_id.c_str(), spec_.number);
    if (root_) {
      instance_.abi().instance_event(instance_.object(), &op.event);
    } else {
      returned = instance_.abi().resume(state_, &op.event);
    }
  }
  if (!root_) settle(returned);
  if (op.event.buf.ref != nullptr) instance_.release(op.event.buf);
}

}  // namespace fermata

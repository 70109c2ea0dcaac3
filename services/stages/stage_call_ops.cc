// The part of StageCall that plugins call, through the host table.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "services/stages/buffer_ref.h"
#include "services/stages/call_stage_op.h"
#include "services/stages/stage_call.h"
#include "services/stages/stage_instance.h"
#include "services/stages/waker.h"
#include "services/stages/worker_box.h"

namespace fermata {

fermata_status StageCall::admit(uint64_t token, uint32_t flags) const noexcept {
  if (state_of_call_ != State::kRunning) return FERMATA_E_CLOSED;
  if (root_ && instance_.abi().instance_event == nullptr) return FERMATA_E_UNSUPPORTED;
  if (cancel_reason() != 0 && (flags & FERMATA_OP_SHIELD) == 0) return FERMATA_E_CANCELLED;
  if (ops_.find(token) != nullptr) return FERMATA_E_INVALID;
  return FERMATA_OK;
}

fermata_status StageCall::sleep_until(uint64_t token, uint64_t deadline_ns, uint32_t flags) {
  if (const fermata_status status = admit(token, flags); status != FERMATA_OK) return status;
  auto* op = new TimerOp(*this, token, flags);
  ops_.insert(*op);
  op->arm(instance_.loop(), static_cast<int64_t>(std::min<uint64_t>(
                                deadline_ns, static_cast<uint64_t>(TimerHeap::kNever) - 1)));
  return FERMATA_OK;
}

fermata_status StageCall::poll_fd(uint64_t token, int fd, uint32_t poll_events, uint32_t flags) {
  const bool read = (poll_events & POLLIN) != 0;
  const bool write = (poll_events & POLLOUT) != 0;
  if (fd < 0 || (!read && !write)) return FERMATA_E_INVALID;
  if (const fermata_status status = admit(token, flags); status != FERMATA_OK) return status;
  auto op = std::make_unique<FdOp>(*this, token, flags, fd);
  const int error = op->watch(instance_.loop(), read, write);
  if (error != 0 && error != EPERM) return FERMATA_E_INVALID;
  ops_.insert(*op);
  CallOp& accepted = *op.release();
  if (error == EPERM) {  // a regular file: always ready
    accepted.event.value = poll_events & (POLLIN | POLLOUT);
    queue_completed(accepted, FERMATA_OK);
  }
  return FERMATA_OK;
}

fermata_status StageCall::offload(uint64_t token, uint32_t flags) {
  void* state = root_ ? instance_.object() : state_;
  const fermata_stage& abi = instance_.abi();
  if ((root_ ? abi.instance_blocking : abi.blocking) == nullptr) return FERMATA_E_UNSUPPORTED;
  if (state == nullptr)
    return FERMATA_E_INVALID;  // what would blocking() work on? set *state first
  if (const fermata_status status = admit(token, flags); status != FERMATA_OK) return status;
  if (!box_) box_ = std::make_unique<WorkerBox>(*this);
  auto* op = new BlockingOp(*this, token, flags, state);
  ops_.insert(*op);
  op->begin(instance_.loop());
  return FERMATA_OK;
}

fermata_status StageCall::call_stage(uint64_t token, std::string_view stage,
                                     const fermata_buf& input, uint64_t deadline_ns,
                                     uint32_t flags) {
  if (const fermata_status status = admit(token, flags); status != FERMATA_OK) return status;
  StageTarget target;
  if (instance_.host().find_stage) {
    target = instance_.host().find_stage(stage, instance_.generation());
  }
  Callee* const callee = target.find();
  if (callee == nullptr || !callee->open()) return FERMATA_E_UNSUPPORTED;
  if (spec_.depth >= instance_.host().max_depth) return FERMATA_E_INVALID;
  StageCallSpec spec;
  spec.job_id = spec_.job_id;
  spec.trace_parent = spec_.trace_parent;
  spec.attempt = spec_.attempt;
  spec.depth = spec_.depth + 1;
  spec.root = spec_.root;
  spec.deadline_ns = spec_.deadline_ns;
  if (deadline_ns != 0 && deadline_ns < static_cast<uint64_t>(spec.deadline_ns)) {
    spec.deadline_ns = static_cast<int64_t>(deadline_ns);
  }
  auto* op = new CallStageOp(*this, token, flags);
  ops_.insert(*op);
  absl::StatusOr<std::string> checked =
      check_json(callee->input_schema().get(),
                 std::string(reinterpret_cast<const char*>(input.ptr), input.len));
  if (!checked.ok()) {
    op->refuse(checked.status());
    return FERMATA_OK;
  }
  spec.input = Buffer(*std::move(checked));
  if (target.generation != nullptr) spec.hold = CallHold(*target.generation);
  op->begin(*callee, std::move(spec));
  return FERMATA_OK;
}

fermata_status StageCall::await_credit(uint64_t token, uint32_t flags) {
  if (root_) return FERMATA_E_UNSUPPORTED;
  if (const fermata_status status = admit(token, flags); status != FERMATA_OK) return status;
  auto* op = new PlainOp(*this, FERMATA_EV_CREDIT, token, flags);
  ops_.insert(*op);
  if (owed_ == 0) queue_completed(*op, FERMATA_OK);
  return FERMATA_OK;
}

void StageCall::credit_came(uint32_t chunks) noexcept {
  owed_ -= std::min(owed_, chunks);
  if (owed_ > 0) return;
  for (CallOp* op : ops_.all()) {
    if (op->event.kind == FERMATA_EV_CREDIT && !op->completed) queue_completed(*op, FERMATA_OK);
  }
}

fermata_status StageCall::await_wake(uint64_t token, uint32_t flags) {
  if (const fermata_status status = admit(token, flags); status != FERMATA_OK) return status;
  ops_.insert(*new PlainOp(*this, FERMATA_EV_WAKE, token, flags));
  return FERMATA_OK;
}

fermata_status StageCall::wake(uint64_t token, uint64_t value) {
  if (state_of_call_ != State::kRunning) return FERMATA_E_CLOSED;
  CallOp* op = ops_.find(token);
  if (op == nullptr || op->completed || op->event.kind != FERMATA_EV_WAKE) return FERMATA_E_INVALID;
  op->event.value = value;
  queue_completed(*op, FERMATA_OK);
  return FERMATA_OK;
}

fermata_status StageCall::cancel_op(uint64_t token) {
  CallOp* op = ops_.find(token);
  if (op == nullptr) return FERMATA_E_INVALID;
  if (op->completed) return FERMATA_OK;
  op->event.value = FERMATA_CANCEL_REQUESTED;
  if (op->stop()) queue_completed(*op, FERMATA_E_CANCELLED);
  return FERMATA_OK;
}

fermata_status StageCall::new_waker(uint64_t token, uint32_t flags, fermata_waker** out) {
  if (const fermata_status status = admit(token, flags); status != FERMATA_OK) return status;
  auto* op = new WakerOp(*this, token, flags, instance_.host().wakers);
  ops_.insert(*op);
  *out = op->waker();
  return FERMATA_OK;
}

fermata_status StageCall::emit(const fermata_buf& bytes, uint32_t flags) {
  if (root_) return FERMATA_E_UNSUPPORTED;
  if (state_of_call_ != State::kRunning) return FERMATA_E_CLOSED;
  if ((flags & FERMATA_EMIT_FINAL) != 0) {
    if (std::exchange(emitted_final_, true)) return FERMATA_E_INVALID;
    output_ = Buffer::retain(bytes);
    return FERMATA_OK;
  }
  if (emitted_final_) return FERMATA_E_INVALID;
  if (credit_ == 0) return FERMATA_WOULD_BLOCK;
  chunk_bytes_ += bytes.len;
  if (chunk_bytes_ > instance_.host().payload_max) {
    flooded_ = true;
    cancel(FERMATA_CANCEL_REQUESTED);
    return FERMATA_E_CLOSED;
  }
  --credit_;
  ++instance_.counters().chunks;
  const Buffer chunk = Buffer::retain(bytes);
  if (spec_.observer != nullptr) spec_.observer->chunk(chunk);
  if (spec_.parent != nullptr && owner_ != nullptr) spec_.parent->chunk(chunk);
  return FERMATA_OK;
}

void StageCall::chunk_from_child(uint64_t token, const Buffer& bytes) noexcept {
  if (state_of_call_ != State::kRunning) return;
  auto* op = new PlainOp(*this, FERMATA_EV_STAGE_CHUNK, token, 0);
  op->event.buf = bytes.raw();
  if (op->event.buf.ref != nullptr) retain_ref(op->event.buf.ref);
  queue_completed(*op, FERMATA_OK);
}

// ---- also from workers ------------------------------------------------------------------------

void StageCall::log(uint32_t level, std::string_view message) {
  if (instance_.host().on_loop_thread()) {
    instance_.log(this, level, message);
  } else if (box_ && box_->mail.log(level, message)) {
    instance_.loop().post(*box_);
  }
}

void StageCall::progress(double fraction, std::string_view note) {
  if (root_) return;
  if (!instance_.host().on_loop_thread()) {
    if (box_ && box_->mail.progress(fraction, note)) instance_.loop().post(*box_);
    return;
  }
  if (spec_.observer != nullptr) spec_.observer->progress(fraction, note);
}

void StageCall::fail_detail(const fermata_failure& failure) {
  if (root_) {
    instance_.note_failure(FailureDetail::copy_of(failure));
    return;
  }
  if (!instance_.host().on_loop_thread()) {
    if (box_ && box_->mail.fail(FailureDetail::copy_of(failure))) instance_.loop().post(*box_);
    return;
  }
  failure_ = FailureDetail::copy_of(failure);
}

void StageCall::take_worker_mail(WorkerMail::Taker taker) noexcept {
  if (!box_) return;
  WorkerMail::Letter letter = box_->mail.take(taker);
  if (letter.fraction && spec_.observer != nullptr)
    spec_.observer->progress(*letter.fraction, letter.note);
  for (const WorkerMail::Log& entry : letter.logs) instance_.log(this, entry.level, entry.message);
  instance_.counters().logs_dropped += letter.logs_dropped;
  if (letter.failure) failure_ = *std::move(letter.failure);
}

}  // namespace fermata

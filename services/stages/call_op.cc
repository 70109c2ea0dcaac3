#include "services/stages/call_op.h"

#include <poll.h>

#include "services/async/check.h"
#include "services/stages/current_call.h"
#include "services/stages/stage_call.h"
#include "services/stages/stage_instance.h"

namespace fermata {

CallOp::CallOp(StageCall& call, uint32_t kind, uint64_t token, uint32_t flags) noexcept
    : call_(call), flags_(flags) {
  event.struct_size = sizeof event;
  event.kind = kind;
  event.token = token;
}

bool TimerOp::stop() noexcept {
  timer_.disarm();
  return true;
}

void TimerOp::fired(Timer& timer) noexcept {
  TimerOp& op = static_cast<OwnTimer&>(timer).op;
  op.call().complete_now(op, FERMATA_OK);
}

FdOp::FdOp(StageCall& call, uint64_t token, uint32_t flags, int fd) noexcept
    : CallOp(call, FERMATA_EV_FD, token, flags),
      read_(*this, fd, IoWatch::Interest::kRead),
      write_(*this, fd, IoWatch::Interest::kWrite) {}

FdOp::~FdOp() { (void)stop(); }

int FdOp::watch_one(OwnWatch& watch) noexcept {
  const int error = loop_->watch(watch);
  watch.watching = error == 0;
  return error;
}

int FdOp::watch(Loop& loop, bool read, bool write) noexcept {
  loop_ = &loop;
  if (const int error = read ? watch_one(read_) : 0; error != 0) return error;
  if (const int error = write ? watch_one(write_) : 0; error != 0) {
    (void)stop();
    return error;
  }
  return 0;
}

bool FdOp::stop() noexcept {
  for (OwnWatch* watch : {&read_, &write_}) {
    if (watch->watching) loop_->unwatch(*watch);
    watch->watching = false;
  }
  return true;
}

void FdOp::fired(IoWatch& watch) noexcept {
  auto& own = static_cast<OwnWatch&>(watch);
  FdOp& op = own.op;
  own.watching = false;
  (void)op.stop();
  if (watch.error != 0) {
    op.event.value = POLLNVAL;
    return op.call().complete_now(op, FERMATA_E_INVALID);
  }
  op.event.value = watch.interest == IoWatch::Interest::kRead ? POLLIN : POLLOUT;
  op.call().complete_now(op, FERMATA_OK);
}

BlockingOp::BlockingOp(StageCall& call, uint64_t token, uint32_t flags, void* state) noexcept
    : CallOp(call, FERMATA_EV_BLOCKING, token, flags), job_(*this), state_(state) {}

void BlockingOp::begin(Loop& loop) noexcept {
  running_ = true;
  loop.offload(job_);
}

bool BlockingOp::stop() noexcept {
  if (!running_) return true;
  if (call().instance().loop().withdraw(job_)) running_ = false;
  return !running_;
}

// On a worker.
void BlockingOp::work(OffloadJob& job) noexcept {
  BlockingOp& op = static_cast<Job&>(job).op;
  const StageCall& call = op.call();
  const fermata_stage& abi = call.instance().abi();
  const InPlugin inside(call.instance().where(), call.spec().job_id.c_str(), call.spec().number);
  op.returned_ = call.is_root() ? abi.instance_blocking(op.state_, op.token())
                                : abi.blocking(op.state_, op.token());
}

void BlockingOp::done(PostNode& node) noexcept {
  BlockingOp& op = static_cast<Job&>(node).op;
  FERMATA_CHECK(op.running_, "a blocking call came back twice");
  op.running_ = false;
  op.call().take_worker_mail(WorkerMail::Taker::kWorkerReturned);
  const bool cancelled = op.call().cancel_reason() != 0 && !op.shielded();
  op.call().complete_now(op, cancelled ? FERMATA_E_CANCELLED : op.returned_);
}

}  // namespace fermata

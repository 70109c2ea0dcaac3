#include "services/stages/waker.h"

#include <utility>

#include "services/stages/stage_call.h"

namespace fermata {

void WakerHub::close() {
  std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

void WakerHub::send_log(ForeignLog entry) {
  std::lock_guard lock(mutex_);
  if (loop_ == nullptr || logs_in_post_ >= kMaxLogsInPost) return;
  ++logs_in_post_;
  loop_->post([self = shared_from_this(), entry = std::move(entry)] { self->deliver_log(entry); });
}

void WakerHub::deliver_log(const ForeignLog& entry) {
  bool open = false;
  {
    std::lock_guard lock(mutex_);
    --logs_in_post_;
    open = loop_ != nullptr;
  }
  if (open && sink_) sink_(entry);
}

Waker::Waker(std::shared_ptr<WakerHub> hub, WakerOp& op)
    : PostNode(&Waker::run_posted), hub_(std::move(hub)), op_(&op) {
  drop = &Waker::drop_posted;
}

fermata_status Waker::fire(uint64_t value, fermata_status status) {
  const std::shared_ptr<WakerHub> hub = hub_;
  bool open = false;
  {
    std::lock_guard lock(hub->mutex_);
    open = hub->loop_ != nullptr && op_ != nullptr;
    if (open) {
      value_ = value;
      status_ = status;
      hub->loop_->post(*this);  // may already be running, and gone, when this returns
    }
  }
  if (open) return FERMATA_OK;
  delete this;
  return FERMATA_E_CLOSED;
}

void Waker::disconnect() {
  std::lock_guard lock(hub_->mutex_);
  op_ = nullptr;
}

void Waker::run_posted(PostNode& node) noexcept {
  const std::unique_ptr<Waker> self(static_cast<Waker*>(&node));
  WakerOp* op = nullptr;
  {
    std::lock_guard lock(self->hub_->mutex_);
    op = std::exchange(self->op_, nullptr);
  }
  if (op == nullptr) return;  // the call ended between the post and now
  op->waker_ = nullptr;
  op->event.value = self->value_;
  op->call().complete_now(*op, self->status_);
}

void Waker::drop_posted(PostNode& node) noexcept { delete static_cast<Waker*>(&node); }

WakerOp::WakerOp(StageCall& call, uint64_t token, uint32_t flags, std::shared_ptr<WakerHub> hub)
    : CallOp(call, FERMATA_EV_WAKER, token, flags), waker_(new Waker(std::move(hub), *this)) {}

WakerOp::~WakerOp() { (void)stop(); }

bool WakerOp::stop() noexcept {
  if (waker_ != nullptr) std::exchange(waker_, nullptr)->disconnect();
  return true;
}

}  // namespace fermata

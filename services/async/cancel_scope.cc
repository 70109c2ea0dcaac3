#include "services/async/cancel_scope.h"

namespace fermata {

void CancelScope::set_deadline(absl::Time deadline) noexcept {
  deadline_ = deadline;
  if (running_ == nullptr) return;
  Loop& loop = Loop::current();
  if (deadline == absl::InfiniteFuture()) return timer_.disarm();
  const std::int64_t deadline_ns = loop.to_ns(deadline);
  if (deadline_ns > loop.now_ns()) return loop.timers().arm(timer_, deadline_ns);
  timer_.disarm();
  cancel(CancelReason::kDeadline);
}

void CancelScope::enter(Branch& branch) noexcept {
  FERMATA_CHECK(running_ == nullptr, "a CancelScope runs one body at a time");
  running_ = &branch;
  if (reason_ != CancelReason::kNone) return branch.request(reason_);
  set_deadline(deadline_);
}

void CancelScope::leave() noexcept {
  running_ = nullptr;
  timer_.disarm();
}

}  // namespace fermata

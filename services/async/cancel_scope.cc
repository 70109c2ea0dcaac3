#include "services/async/cancel_scope.h"

#include "services/async/ps.h"

namespace fermata {

void CancelScope::set_deadline(absl::Time deadline) noexcept {
  deadline_ = deadline;
  if (running_ == nullptr || cancelled()) return;
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
  if (cancelled()) return request();
  set_deadline(deadline_);
}

void CancelScope::leave() noexcept {
  running_ = nullptr;
  timer_.disarm();
}

void CancelScope::request() noexcept {
  timer_.disarm();
  running_->request(reason_);
  if (grace_ == absl::InfiniteDuration()) return;
  Loop& loop = Loop::current();
  loop.timers().arm(timer_, loop.deadline_after(grace_));
}

void CancelScope::expire() noexcept {
  if (!cancelled()) return cancel(CancelReason::kDeadline);
  Loop& loop = Loop::current();
  loop.report_lingering(lingering(loop, running_));
}

}  // namespace fermata

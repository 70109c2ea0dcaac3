#include "services/frontend/call_quota.h"

#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

// Calls end all the time; what holds bytes is a reader who is slow.
constexpr absl::Duration kCallsRetry = absl::Milliseconds(500);
constexpr absl::Duration kBytesRetry = absl::Seconds(1);

}  // namespace

CallLease::~CallLease() {
  if (quota_ == nullptr) return;
  hold(0);
  quota_->calls_.fetch_sub(1, std::memory_order_relaxed);
  if (watcher_) quota_->watchers_.fetch_sub(1, std::memory_order_relaxed);
}

void CallLease::hold(size_t bytes) {
  if (quota_ == nullptr || bytes == bytes_) return;
  quota_->bytes_.fetch_add(static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_),
                           std::memory_order_relaxed);
  bytes_ = bytes;
}

absl::Status CallLease::take_answer(size_t bytes) {
  hold(bytes);
  if (quota_ == nullptr || bytes <= kSmallAnswer) return absl::OkStatus();
  absl::Status room = quota_->check_bytes(bytes);
  if (!room.ok()) hold(0);
  return room;
}

absl::StatusOr<CallLease> CallQuota::admit(bool watcher, size_t request_bytes) {
  const int64_t calls = calls_.fetch_add(1, std::memory_order_relaxed);
  if (watcher) watchers_.fetch_add(1, std::memory_order_relaxed);
  CallLease lease(this, watcher);  // gives back what was just taken, if this is a refusal
  if (calls >= limits_.calls) {
    return limit_reached("TOO_MANY_CALLS", "limits.calls", limits_.calls, calls, kCallsRetry);
  }
  if (watcher && watchers() > limits_.watchers) {
    return limit_reached("TOO_MANY_WATCHERS", "limits.watchers", limits_.watchers, watchers() - 1,
                         kCallsRetry);
  }
  lease.hold(request_bytes);
  absl::Status room = check_bytes(request_bytes);
  if (!room.ok()) return room;
  return lease;
}

absl::Status CallQuota::check_bytes(size_t mine) const {
  // What is alone is always let in: its size has a limit of its own.
  const int64_t held = bytes();
  const bool alone = held == static_cast<int64_t>(mine);
  if (alone || held <= static_cast<int64_t>(limits_.bytes)) return absl::OkStatus();
  return limit_reached("TOO_MANY_CALL_BYTES", "limits.call_bytes",
                       static_cast<int64_t>(limits_.bytes), held, kBytesRetry);
}

}  // namespace fermata::frontend

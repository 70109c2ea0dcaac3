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
  if (use_ != nullptr) quota_->give_back_use(*use_, watcher_);
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

absl::StatusOr<CallLease> CallQuota::admit(bool watcher, size_t request_bytes,
                                           std::string_view principal) {
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
  if (!principal.empty()) {
    absl::Status mine = take_use(lease, principal);
    if (!mine.ok()) return mine;
  }
  lease.hold(request_bytes);
  absl::Status room = check_bytes(request_bytes);
  if (!room.ok()) return room;
  return lease;
}

absl::Status CallQuota::take_use(CallLease& lease, std::string_view principal) {
  const std::scoped_lock lock(mutex_);
  const auto found = uses_.find(principal);
  const PrincipalUse before = found == uses_.end() ? PrincipalUse() : *found->second;
  if (limits_.principal_calls > 0 && before.calls >= limits_.principal_calls) {
    return limit_reached("TOO_MANY_CALLS", "limits.principal_calls", limits_.principal_calls,
                         before.calls, kCallsRetry);
  }
  if (lease.watcher_ && limits_.principal_watchers > 0 &&
      before.watchers >= limits_.principal_watchers) {
    return limit_reached("TOO_MANY_WATCHERS", "limits.principal_watchers",
                         limits_.principal_watchers, before.watchers, kCallsRetry);
  }
  PrincipalUse* use = found == uses_.end() ? nullptr : found->second.get();
  if (use == nullptr) {
    auto fresh = std::make_unique<PrincipalUse>(PrincipalUse{std::string(principal)});
    use = fresh.get();
    uses_.emplace(use->name, std::move(fresh));
  }
  ++use->calls;
  use->watchers += lease.watcher_ ? 1 : 0;
  lease.use_ = use;
  return absl::OkStatus();
}

void CallQuota::give_back_use(PrincipalUse& use, bool watcher) {
  const std::scoped_lock lock(mutex_);
  use.watchers -= watcher ? 1 : 0;
  if (--use.calls > 0) return;
  const auto found = uses_.find(use.name);
  const std::unique_ptr<PrincipalUse> last = std::move(found->second);
  uses_.erase(found);
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

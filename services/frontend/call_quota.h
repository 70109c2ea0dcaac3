// CallQuota: how many calls are in progress, and how many bytes they hold. Above a limit a call is
// refused at once, on gRPC's thread, before it is decoded: the loop never hears of it, so a storm
// of clients costs the jobs that run nothing.
//
// What is counted: calls from admission until gRPC is done with them (those that wait for jobs, and
// watchers, too); the bytes of requests until the loop has begun the call (a job's payload is then
// the engine's, and counted there), and of answers until they are sent, however slow the reader.
//
// Every thread of gRPC and the loop's count here, in relaxed atomics: the numbers order nothing and
// guard no memory, a limit may be passed by as many calls as there are threads, and each lease
// gives back what it took. What each principal holds is counted exactly, under a mutex, when
// callers have names; one who holds nothing has no entry.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace fermata::frontend {

struct CallLimits {
  int64_t calls = 20000;  // watchers among them
  int64_t watchers = 10000;
  uint64_t bytes = uint64_t{256} << 20;
  // Of one principal, by whichever of its tokens. 0: no limit but those above.
  int64_t principal_calls = 0;
  int64_t principal_watchers = 0;
};

// What one principal holds.
struct PrincipalUse {
  std::string name;
  int64_t calls = 0;
  int64_t watchers = 0;
};

class CallQuota;

// What one call holds. Movable; gives all of it back when it goes.
class CallLease {
 public:
  CallLease() = default;
  CallLease(CallLease&& other) noexcept
      : quota_(std::exchange(other.quota_, nullptr)),
        use_(std::exchange(other.use_, nullptr)),
        watcher_(other.watcher_),
        bytes_(std::exchange(other.bytes_, 0)) {}
  CallLease& operator=(CallLease&&) = delete;
  ~CallLease();

  // Answers up to this size are always taken.
  static constexpr size_t kSmallAnswer = 64 << 10;

  // From now on the call holds `bytes`, whatever it held before. Not refused: they are there.
  void hold(size_t bytes);
  // The same for an answer that has to wait for its reader; when there is no room, it holds
  // nothing: RESOURCE_EXHAUSTED, TOO_MANY_CALL_BYTES.
  absl::Status take_answer(size_t bytes);

 private:
  friend class CallQuota;
  CallLease(CallQuota* quota, bool watcher) : quota_(quota), watcher_(watcher) {}

  CallQuota* quota_ = nullptr;
  PrincipalUse* use_ = nullptr;  // the quota's; null: nobody was asked for a name
  bool watcher_ = false;
  size_t bytes_ = 0;
};

class CallQuota {
 public:
  explicit CallQuota(const CallLimits& limits) : limits_(limits) {}
  CallQuota(const CallQuota&) = delete;

  // `principal` "": nobody was asked for a name. RESOURCE_EXHAUSTED: TOO_MANY_CALLS,
  // TOO_MANY_WATCHERS, TOO_MANY_CALL_BYTES; the quota that is named says whose.
  absl::StatusOr<CallLease> admit(bool watcher, size_t request_bytes,
                                  std::string_view principal = "");

  int64_t calls() const { return calls_.load(std::memory_order_relaxed); }
  int64_t watchers() const { return watchers_.load(std::memory_order_relaxed); }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  friend class CallLease;
  // Of what is held now, `mine` is new.
  absl::Status check_bytes(size_t mine) const;
  absl::Status take_use(CallLease& lease, std::string_view principal);
  void give_back_use(PrincipalUse& use, bool watcher);

  const CallLimits limits_;
  std::atomic<int64_t> calls_{0};
  std::atomic<int64_t> watchers_{0};
  std::atomic<int64_t> bytes_{0};
  std::mutex mutex_;
  // By name, guarded by mutex_; no more of them than calls.
  absl::flat_hash_map<std::string_view, std::unique_ptr<PrincipalUse>> uses_;
};

}  // namespace fermata::frontend

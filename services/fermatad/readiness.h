// Readiness: what health checks are told. SERVING, unless the daemon drains, its store has stopped,
// or its loop is late: whoever would wait for a loop that does not move is served better elsewhere.
//
//   loop ── beat() ──► beat_ns_ ◄── looks ── a thread of its own, since a loop that is stuck cannot
//                                            say so itself
//
// Ready again when the loop has been in time for a while. Two threads meet in beat_ns_, a relaxed
// atomic that orders nothing, and under mutex_, which guards the reasons; `tell` is called under it
// and must not wait for the loop. Made and destroyed on the loop's thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/time/time.h"
#include "services/async/async.h"

namespace fermata {

class Readiness {
 public:
  enum class Reason : uint8_t { kDraining, kStoreStopped, kLoopLate };
  // Whether clients are to be sent here. Called on changes only; it begins as true.
  using Tell = std::function<void(bool ready)>;

  // The loop is late when a timer of it is, by more than `late`.
  Readiness(absl::Duration late, Tell tell);
  Readiness(const Readiness&) = delete;
  ~Readiness();

  // Any thread.
  void set(Reason reason, bool holds);

  // On the loop, for as long as it is to be judged.
  //   on cancel    at once, and the loop is not judged any more
  Co<absl::Status> beat();

 private:
  static constexpr size_t kReasons = 3;
  class Beating;

  void look();

  const absl::Duration late_;
  const absl::Duration period_;  // between two beats, and between two looks
  Tell tell_;
  std::atomic<int64_t> beat_ns_{0};  // when; 0: it is not judged
  std::mutex mutex_;
  std::condition_variable ending_changed_;
  std::array<bool, kReasons> holds_{};  // guarded by mutex_, as are these
  bool ready_ = true;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fermata

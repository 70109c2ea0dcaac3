// Watchdog: says which task blocks its loop, and where. asyncio's slow_callback_duration, without
// timing every step.
//
//   Co<absl::Status> main() {
//     Watchdog watchdog(Watchdog::Options(), [](const Watchdog::Report& report) { log(report); });
//     …
//   }
//
// A thread of its own looks at the loop's step counter. When a step takes longer than the threshold
// it interrupts the loop's thread with a signal, whose handler takes the native stack and the name
// of the running task; so the loop pays one store a step. The report is called on the watchdog's
// thread, while the loop is still blocked, and must not touch the loop.
//
// Made and destroyed on the loop's thread, inside run(). Uses the real-time signal SIGRTMIN + 3; a
// loop that blocks it, or sits in an uninterruptible call, is reported without a stack.
#ifndef SERVICES_ASYNC_WATCHDOG_H_
#define SERVICES_ASYNC_WATCHDOG_H_

#include <pthread.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "services/async/loop.h"
#include "services/async/stall_detector.h"

namespace fermata {

class Watchdog {
 public:
  struct Options {
    absl::Duration threshold = absl::Milliseconds(100);  // asyncio's
    std::size_t reports_per_minute = 6;
  };
  struct Report {
    absl::Duration blocked;          // so far
    std::string task;                // empty: a callback, or nobody's step
    std::vector<std::string> stack;  // function names, innermost first; empty: not interruptible
    std::string to_string() const;
  };
  using Reporter = absl::AnyInvocable<void(const Report&)>;

  Watchdog(Options options, Reporter reporter);
  Watchdog(const Watchdog&) = delete;
  ~Watchdog();

  // Stalls seen, also those beyond the reports a minute. Any thread.
  std::uint64_t stalls() const noexcept { return stalls_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kFrames = 48;
  static constexpr std::size_t kNameBytes = 64;

  // What the handler fills in, on the loop's thread, while the watchdog's thread waits.
  struct Capture {
    Loop* loop = nullptr;
    std::array<void*, kFrames> frames{};
    std::size_t frame_count = 0;
    std::array<char, kNameBytes> task{};
    std::binary_semaphore taken{0};
  };

  static void install_handler();
  static void handle(int signal, siginfo_t* info, void* context) noexcept;
  void watch();
  Report interrupt(absl::Duration blocked);

  const Options options_;
  Reporter reporter_;
  const pthread_t loop_thread_;
  StallDetector detector_;
  Capture capture_;
  bool interruptible_ = true;  // the last signal was answered: the handler is not in capture_
  std::atomic<std::uint64_t> stalls_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_WATCHDOG_H_

// Timers: armed and dropped, as nearly all are, and fired.
#include <vector>

#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

struct NeverFires : Timer {
  NeverFires() : Timer([](Timer&) noexcept {}) {}
};

// A thousand at a time, later ones due later, dropped in the order they were armed.
Co<absl::Status> timer_arm_and_drop(long times) {
  Loop& loop = Loop::current();
  for (long i = 0; i < times; i += 1000) {
    std::vector<NeverFires> timers(1000);
    for (NeverFires& timer : timers) {
      loop.timers().arm(timer, loop.deadline_after(absl::Seconds(60)) + (&timer - &timers[0]));
    }
    timers.clear();
  }
  co_return absl::OkStatus();
}

Co<absl::Status> sleep_and_wake(long times) {
  for (long i = 0; i < times; ++i) co_await sleep(absl::Nanoseconds(1));
  co_return absl::OkStatus();
}

Co<void> nap(long ns) { co_await sleep(absl::Nanoseconds(ns)); }

// All are due before the loop looks at the clock again, in an order unlike that of arming.
Co<absl::Status> thousand_naps(TaskGroup& group) {
  for (long i = 0; i < 1000; ++i) group.spawn(&nap, 1 + i * 613 % 1000);
  co_return absl::OkStatus();
}
Co<absl::Status> sleepers_1000(long times) {
  for (long i = 0; i < times; i += 1000) co_await Try(with_group(&thousand_naps));
  co_return absl::OkStatus();
}

}  // namespace

Operations timer_operations() {
  return {
      {"timer_arm_and_drop", &timer_arm_and_drop},  // suite R5
      {"sleep", &sleep_and_wake},                   // FoundationDB's DELAY; the clock is read
      {"sleepers_1000", &sleepers_1000},            // spawned, asleep, woken, ended
  };
}

}  // namespace fermata::bench

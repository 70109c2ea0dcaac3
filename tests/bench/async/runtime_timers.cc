// R4 a million tasks asleep; R5 arm and drop a timer.
#include <sys/resource.h>

#include <cstddef>
#include <vector>

#include "tests/bench/async/runtime.h"

namespace fermata::bench {
namespace {

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) { return t.tv_sec + t.tv_usec / 1e6; };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

Co<void> nap(absl::Duration duration) { co_await sleep(duration); }

struct Asleep {
  double spawn_seconds = 0;
  double bytes = 0;
};

Co<absl::Status> put_to_sleep(TaskGroup& group, long n, Asleep* asleep) {
  const double before = resident_bytes();
  const Clock::time_point start = Clock::now();
  unsigned long random = 12345;
  for (long i = 0; i < n; ++i) {
    random = random * 6364136223846793005ul + 1442695040888963407ul;
    group.spawn(&nap, absl::Seconds(1) + absl::Nanoseconds((random >> 33) % 1000000000));
  }
  co_await yield_now();
  asleep->spawn_seconds = since(start);
  asleep->bytes = resident_bytes() - before;
  co_return absl::OkStatus();
}

// A timer as every timeout uses it: armed far ahead, dropped long before it is due.

}  // namespace

Co<absl::Status> r4() {
  const long n = 1000000;
  Asleep asleep;
  const double cpu = cpu_seconds();
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&put_to_sleep, n, &asleep);
  const double wall = since(start);
  print("R4", n, wall,
        field("bytes_per_task", asleep.bytes / n) + field("cpu_s", cpu_seconds() - cpu) +
            field("wall_s", wall) + field("spawn_s", asleep.spawn_seconds));
  co_return status;
}

Co<absl::Status> r5() {
  const long n = 1000000;
  struct Never : Timer {
    Never() : Timer([](Timer&) noexcept {}) {}
  };
  const Clock::time_point start = Clock::now();
  for (int round = 0; round < 10; ++round) {
    std::vector<Never> timers(n / 10);
    Loop& loop = Loop::current();
    for (std::size_t i = 0; i < timers.size(); ++i) {
      loop.timers().arm(timers[i], loop.deadline_after(absl::Seconds(60)) + 100000 * long(i));
    }
    timers.clear();
    co_await yield_now();
  }
  print("R5", n, since(start));
  co_return absl::OkStatus();
}

}  // namespace fermata::bench

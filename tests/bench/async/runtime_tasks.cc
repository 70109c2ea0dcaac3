// R1 spawn and join, one by one; R2 yield, 100 000 tasks; R6 call a coroutine, 1000 deep.
#include "tests/bench/async/runtime.h"

namespace fermata::bench {
namespace {

Co<int> one() { co_return 1; }

Co<absl::Status> spawn_and_join(TaskGroup& group, long n) {
  for (long i = 0; i < n; ++i) {
    Task<int> task = group.spawn(&one);
    co_await task;
  }
  co_return absl::OkStatus();
}

Co<void> yield_often(int times) {
  for (int i = 0; i < times; ++i) co_await yield_now();
}

Co<absl::Status> spawn_yielders(TaskGroup& group, long n) {
  for (long i = 0; i < n; ++i) group.spawn(&yield_often, 10);
  co_return absl::OkStatus();
}

Co<long> deep(int levels) {
  if (levels == 0) co_return 0;
  long below = co_await deep(levels - 1);
  co_return below + 1;
}

}  // namespace

Co<absl::Status> r1() {
  const long n = 1000000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&spawn_and_join, n);
  print("R1", n, since(start));
  co_return status;
}

Co<absl::Status> r2() {
  const long n = 100000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&spawn_yielders, n);
  print("R2", n * 10, since(start));
  co_return status;
}

Co<absl::Status> r6() {
  const Clock::time_point start = Clock::now();
  long levels = 0;
  for (int i = 0; i < 1000; ++i) {
    long n = co_await deep(1000);
    levels += n;
  }
  print("R6", levels, since(start));
  co_return absl::OkStatus();
}

}  // namespace fermata::bench

// R10 how long the loop is held up when 10 000 timeouts end together: cancelled from outside, and
// all due at the same moment. Making them is not part of it.
#include <time.h>

#include <algorithm>

#include "tests/bench/async/runtime.h"

namespace fermata::bench {
namespace {

constexpr long kTimeouts = 10000;

// The loop's own time: what others take from it meanwhile is not its stall.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Watch {
  bool begun = false;
  bool over = false;
  double longest_s = 0;
};

// The longest time between two turns of a task that is always ready, from when it has begun.
Co<void> watch_turns(Watch* watch) {
  double last = cpu_seconds();
  while (!watch->over) {
    co_await yield_now();
    const double now = cpu_seconds();
    if (watch->begun) watch->longest_s = std::max(watch->longest_s, now - last);
    last = now;
  }
}

Co<absl::Status> wait_deep(Event* never, int frames) {
  if (frames == 1) {
    co_await never->wait();
    co_return absl::OkStatus();
  }
  absl::Status status = co_await wait_deep(never, frames - 1);
  co_return status;
}

Co<void> request(absl::Time deadline, Event* never, long* ended) {
  absl::Status status = co_await timeout_at(deadline, wait_deep(never, 5));
  *ended += status.ok() ? 0 : 1;
}

Co<absl::Status> many_requests(TaskGroup& group, absl::Time deadline, Event* never, Watch* watch,
                               long* ended) {
  for (long i = 0; i < kTimeouts; ++i) {
    group.spawn(&request, deadline, never, ended);
    if (i % 100 == 0) co_await yield_now();
  }
  watch->begun = true;
  co_return absl::OkStatus();
}

Co<absl::Status> expire_together(TaskGroup& group, double* longest_s) {
  Event never;
  long ended = 0;
  Watch watch;
  Task<void> watcher = group.spawn(&watch_turns, &watch);
  absl::Time deadline = now() + absl::Milliseconds(400);
  absl::Status status = co_await with_group(&many_requests, deadline, &never, &watch, &ended);
  watch.over = true;
  co_await watcher;
  *longest_s = watch.longest_s;
  if (ended != kTimeouts) co_return absl::InternalError("a request did not time out");
  co_return status;
}

Co<absl::Status> cancelled_requests(TaskGroup& group, Event* never, Watch* watch, long* ended) {
  absl::Time deadline = now() + absl::Hours(1);
  for (long i = 0; i < kTimeouts; ++i) {
    group.spawn(&request, deadline, never, ended);
    if (i % 100 == 0) co_await yield_now();
  }
  for (int i = 0; i < 10; ++i) co_await yield_now();
  watch->begun = true;
  group.cancel();
  co_return absl::OkStatus();
}

Co<absl::Status> cancel_together(TaskGroup& group, double* longest_s) {
  Event never;
  long ended = 0;
  Watch watch;
  Task<void> watcher = group.spawn(&watch_turns, &watch);
  absl::Status status = co_await with_group(&cancelled_requests, &never, &watch, &ended);
  watch.over = true;
  co_await watcher;
  *longest_s = watch.longest_s;
  co_return status;
}

}  // namespace

Co<absl::Status> r10() {
  const Clock::time_point start = Clock::now();
  double expired_s = 0, cancelled_s = 0;
  co_await Try(with_group(&expire_together, &expired_s));
  co_await Try(with_group(&cancel_together, &cancelled_s));
  print("R10", kTimeouts, since(start),
        field("expire_ms", expired_s * 1e3) + field("cancel_ms", cancelled_s * 1e3) +
            field("stall_ms", std::max(expired_s, cancelled_s) * 1e3));
  co_return absl::OkStatus();
}

}  // namespace fermata::bench

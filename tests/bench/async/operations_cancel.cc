// Cancelling: tasks that wait five frames deep, one by one and a thousand at once, and timeouts.
#include "absl/status/statusor.h"
#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

[[gnu::noinline]] Co<void> wait_deep(Event* event, int frames) {
  if (frames == 1) {
    co_await event->wait();
  } else {
    co_await wait_deep(event, frames - 1);
  }
}

// What ConstructAndCancel costs without the cancellation: the tasks are woken instead.
Co<absl::Status> wake_each(TaskGroup& group, long times) {
  Event event;
  for (long i = 0; i < times; ++i) {
    Task<void> task = group.spawn(&wait_deep, &event, 5);
    co_await yield_now();
    event.set();
    event.clear();
    Outcome<void> outcome = co_await task;
    keep(outcome);
  }
  co_return absl::OkStatus();
}
Co<absl::Status> construct_and_wake(long times) {
  co_return co_await with_group(&wake_each, times);
}

Co<absl::Status> cancel_each(TaskGroup& group, long times) {
  Event never;
  for (long i = 0; i < times; ++i) {
    Task<void> task = group.spawn(&wait_deep, &never, 5);
    co_await yield_now();
    task.cancel();
    Outcome<void> outcome = co_await task;
    keep(outcome);
  }
  co_return absl::OkStatus();
}
Co<absl::Status> construct_and_cancel(long times) {
  co_return co_await with_group(&cancel_each, times);
}

Co<absl::Status> thousand_waiters(TaskGroup& group, Event* never) {
  for (int i = 0; i < 1000; ++i) group.spawn(&wait_deep, never, 5);
  co_await yield_now();
  group.cancel();
  co_return absl::OkStatus();
}
Co<absl::Status> batch_cancel(long times) {
  Event never;
  for (long i = 0; i < times; i += 1000) co_await Try(with_group(&thousand_waiters, &never));
  co_return absl::OkStatus();
}

[[gnu::noinline]] Co<int> one_turn() {
  co_await yield_now();
  co_return 1;
}
Co<absl::Status> timeout_around_a_hop(long times) {
  for (long i = 0; i < times; ++i) {
    absl::StatusOr<int> value = co_await timeout(absl::Seconds(30), one_turn());
    keep(value);
  }
  co_return absl::OkStatus();
}

[[gnu::noinline]] Co<long> nested(int levels) {
  if (levels == 1) co_return 1;
  long below = co_await nested(levels - 1);
  co_return below + 1;
}
// Three levels of calls within a scope that could be cancelled.
Co<absl::Status> nested_with_cancellation_3(long times) {
  for (long i = 0; i < times; ++i) {
    CancelScope scope;
    Outcome<long> outcome = co_await scope.run(nested(3));
    keep(outcome);
  }
  co_return absl::OkStatus();
}

Co<void> wait_at_most(Event* never) {
  absl::Status status = co_await timeout(absl::Hours(1), wait_deep(never, 3));
  keep(status);
}
Co<absl::Status> ten_thousand_timeouts(TaskGroup& group, Event* never) {
  for (int i = 0; i < 10000; ++i) group.spawn(&wait_at_most, never);
  co_await yield_now();
  group.cancel();
  co_return absl::OkStatus();
}
Co<absl::Status> timeouts_cancelled_10000(long times) {
  Event never;
  for (long i = 0; i < times; i += 10000) co_await Try(with_group(&ten_thousand_timeouts, &never));
  co_return absl::OkStatus();
}

}  // namespace

Operations cancel_operations() {
  return {
      {"construct_and_wake", &construct_and_wake},
      {"ConstructAndCancel", &construct_and_cancel},                  // FoundationDB
      {"BatchCancel", &batch_cancel},                                 // FoundationDB
      {"timeout_around_a_hop", &timeout_around_a_hop},                // tokio's timeout
      {"NestedCallsWithCancellation3", &nested_with_cancellation_3},  // folly
      {"timeouts_cancelled_10000", &timeouts_cancelled_10000},        // per timeout
  };
}

}  // namespace fermata::bench

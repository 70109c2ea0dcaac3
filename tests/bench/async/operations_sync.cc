// Lock, semaphore, event, condition, future.
#include <utility>

#include "absl/status/statusor.h"
#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

Co<absl::Status> lock_uncontended(long times) {
  Lock lock;
  for (long i = 0; i < times; ++i) {
    Lock::Guard guard = co_await lock.acquire();
    keep(guard);
  }
  co_return absl::OkStatus();
}

// Holds the lock across a turn, so that the other one has to wait for it.
Co<void> hold_across_turns(Lock* lock, long times) {
  for (long i = 0; i < times; ++i) {
    Lock::Guard guard = co_await lock->acquire();
    co_await yield_now();
  }
}
Co<absl::Status> two_holders(TaskGroup& group, Lock* lock, long times) {
  group.spawn(&hold_across_turns, lock, times / 2);
  group.spawn(&hold_across_turns, lock, times / 2);
  co_return absl::OkStatus();
}
Co<absl::Status> lock_contended_2(long times) {
  Lock lock;
  co_return co_await with_group(&two_holders, &lock, times);
}

Co<absl::Status> semaphore_uncontended(long times) {
  Semaphore semaphore(4);
  for (long i = 0; i < times; ++i) {
    Semaphore::Permit permit = co_await semaphore.acquire();
    keep(permit);
  }
  co_return absl::OkStatus();
}

Co<void> wait_often(Event* event, Event* seen, long times) {
  for (long i = 0; i < times; ++i) {
    co_await event->wait();
    event->clear();
    seen->set();
  }
}
Co<absl::Status> set_often(TaskGroup& group, Event* event, Event* seen, long times) {
  group.spawn(&wait_often, event, seen, times);
  for (long i = 0; i < times; ++i) {
    event->set();
    co_await seen->wait();
    seen->clear();
  }
  co_return absl::OkStatus();
}
// Two events, each set once and waited for once.
Co<absl::Status> event_set_wait(long times) {
  Event event;
  Event seen;
  co_return co_await with_group(&set_often, &event, &seen, times / 2);
}

Co<void> answer(Promise<int> promise) {
  promise.set_value(1);
  co_return;
}
Co<absl::Status> ask_often(TaskGroup& group, long times) {
  for (long i = 0; i < times; ++i) {
    Promise<int> promise;
    Future<int> future = promise.future();
    group.spawn(&answer, std::move(promise));
    absl::StatusOr<int> reply = co_await future;
    keep(reply);
  }
  co_return absl::OkStatus();
}
// A promise, a task that keeps it, and the wait for it.
Co<absl::Status> request_reply(long times) { co_return co_await with_group(&ask_often, times); }

}  // namespace

Operations sync_operations() {
  return {
      {"lock_uncontended", &lock_uncontended},            // tokio, folly
      {"lock_contended_2", &lock_contended_2},            //
      {"semaphore_uncontended", &semaphore_uncontended},  // tokio's sync_semaphore
      {"event_set_wait", &event_set_wait},                // tokio's sync_notify
      {"request_reply", &request_reply},                  // tokio
  };
}

}  // namespace fermata::bench

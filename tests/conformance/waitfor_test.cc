// asyncio's test_waitfor.py. Rows 23 to 30. wait_for is timeout() here.
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// Row 23 (deliberately different). asyncio looks first whether the future is done. Here a timeout
// that is over never starts its body, ready or not: one rule. Who wants to look without waiting
// asks done(), get_nowait() or try_acquire().
TEST(AsyncioWaitFor, TimeoutLessThen0Or0FutureDone) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Promise<std::string> promise;
    promise.set_value("done");
    EXPECT_TRUE(promise.future().done());
    for (absl::Duration limit : {absl::ZeroDuration(), -absl::Seconds(1)}) {
      using Get = Co<absl::StatusOr<std::string>> (*)(Future<std::string>);
      const Get get = [](Future<std::string> future) -> Co<absl::StatusOr<std::string>> {
        co_return co_await future;
      };
      absl::StatusOr<std::string> result = co_await timeout(limit, get(promise.future()));
      EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
    }
    Queue<int> queue(1);
    EXPECT_TRUE(queue.put_nowait(1).ok());
    absl::StatusOr<std::optional<int>> item = co_await timeout(absl::ZeroDuration(), queue.get());
    EXPECT_EQ(item.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(queue.size(), 1u) << "and the item is still there";
    absl::StatusOr<std::optional<int>> soon = co_await timeout(absl::Nanoseconds(1), queue.get());
    EXPECT_EQ(**soon, 1) << "the shortest wait there is takes what is ready";
    co_return absl::OkStatus();
  });
}

// Row 24 (same).
TEST(AsyncioWaitFor, TimeoutLessThen0Or0CoroutineDoNotStarted) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    using Foo = Co<void> (*)(Counted);
    const Foo foo = [](Counted) -> Co<void> {
      ADD_FAILURE() << "started";
      co_return;
    };
    for (absl::Duration limit :
         {absl::ZeroDuration(), -absl::Seconds(1), -absl::InfiniteDuration()}) {
      absl::Status status = co_await timeout(limit, foo(Counted()));
      EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
      EXPECT_EQ(Counted::live, 0) << "the arguments of a body that never ran";
    }
    co_return absl::OkStatus();
  });
}

// What happens at the very instant of the deadline.
Co<int> taken_at(Event* event, int value) {
  co_await event->wait();
  co_return value;
}

// Row 25 (same), in the three orders in which a deadline and a completion can fall together.
TEST(AsyncioWaitFor, RaceCondition) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Event event;
    const absl::Time deadline = now() + absl::Seconds(1);
    using Setter = Co<void> (*)(absl::Time, Event*);
    const Setter set_at = [](absl::Time when, Event* event) -> Co<void> {
      co_await sleep_until(when);
      event->set();
    };
    // The timer of the setter is older than the timeout: it is woken first. Whether it runs before
    // the cancellation is delivered decides, and nothing else may.
    group.spawn(set_at, deadline, &event);
    co_await settle();
    absl::StatusOr<int> tie = co_await timeout_at(deadline, taken_at(&event, 5));
    EXPECT_EQ(now(), deadline);
    EXPECT_TRUE(tie.ok() ? *tie == 5 : absl::IsDeadlineExceeded(tie.status()));
    // A completion one tick before the deadline always wins.
    event.clear();
    const absl::Time later = now() + absl::Seconds(1);
    group.spawn(set_at, later - absl::Nanoseconds(1), &event);
    absl::StatusOr<int> before = co_await timeout_at(later, taken_at(&event, 6));
    EXPECT_EQ(*before, 6);
    // A timer of the body itself that is due at the deadline: it is awake, so it wins.
    absl::StatusOr<int> own = co_await timeout(absl::Seconds(1), value_after(absl::Seconds(1), 7));
    EXPECT_EQ(*own, 7);
    co_return absl::OkStatus();
  });
}

// Row 26 (same).
TEST(AsyncioWaitFor, WaitsForTaskCancellation) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int cleaned_up = 0;
    const absl::Time start = now();
    using Inner = Co<void> (*)(int*);
    const Inner inner = [](int* cleaned_up) -> Co<void> {
      co_await lingers(absl::Seconds(5), cleaned_up);
      co_await yield_now();
      ADD_FAILURE() << "went on after its clean-up";
    };
    absl::Status status = co_await timeout(absl::Seconds(1), inner(&cleaned_up));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(cleaned_up, 1);
    EXPECT_EQ(now() - start, absl::Seconds(6));
    co_return absl::OkStatus();
  });
}

// Row 26, w_timeout_0: asyncio passes a task that has begun. Cancelling and joining it is two lines
// here, and the join waits for the clean-up likewise.
TEST(AsyncioWaitFor, WaitsForTaskCancellationWithTimeout0) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int cleaned_up = 0;
    Task<void> task = group.spawn(
        [](int* cleaned_up) -> Co<void> {
          co_await lingers(absl::Seconds(5), cleaned_up);
          co_await yield_now();
        },
        &cleaned_up);
    co_await settle();
    task.cancel(CancelReason::kDeadline);
    Outcome<void> outcome = co_await task;
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(cleaned_up, 1);
    co_return absl::OkStatus();
  });
}

// Row 27 (adapted): the error of the clean-up, a value here, replaces the timeout.
TEST(AsyncioWaitFor, ReraisesExceptionDuringCancellation) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await timeout(
        absl::Seconds(1), lingers_and_fails(absl::Milliseconds(1), absl::StatusCode::kDataLoss));
    EXPECT_EQ(status, absl::DataLossError("clean-up failed"));
    // The same through levels of Try, which ends each of them without a suspension.
    using Level = Co<absl::Status> (*)();
    const Level level = []() -> Co<absl::Status> {
      Counted counted;
      co_await Try(lingers_and_fails(absl::Milliseconds(1), absl::StatusCode::kDataLoss));
      co_return absl::OkStatus();
    };
    status = co_await timeout(absl::Seconds(1), level());
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(Counted::live, 0);
    co_return absl::OkStatus();
  });
}

// Row 28 (adapted): the body catches the cancellation at a scope, and returns a value without
// suspending again: there is a result, so there was no timeout.
TEST(AsyncioWaitFor, CancellationRaceCondition) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    using Inner = Co<int> (*)();
    const Inner inner = []() -> Co<int> {
      CancelScope scope;
      Outcome<void> outcome = co_await scope.run(sleep(absl::Seconds(10)));
      EXPECT_TRUE(outcome.cancelled());
      EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
      EXPECT_FALSE(scope.cancelled()) << "it came from around this scope";
      co_return 1;
    };
    absl::StatusOr<int> result = co_await timeout(absl::Milliseconds(10), inner());
    EXPECT_EQ(*result, 1);
    co_return absl::OkStatus();
  });
}

// Row 29 (adapted). asyncio lets go of a body that swallows cancellations; ours never leaves one
// behind. What stays is that the cancellation of the waiting side is not lost while it waits.
TEST(AsyncioWaitFor, SelfCancellation) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int cleaned_up = 0;
    Task<void> task = group.spawn(
        [](int* cleaned_up) -> Co<void> {
          absl::Status status =
              co_await timeout(absl::Milliseconds(100), lingers(absl::Seconds(1), cleaned_up));
          EXPECT_EQ(*cleaned_up, 1);
          co_await yield_now();
          ADD_FAILURE() << "the cancellation was lost: " << status;
        },
        &cleaned_up);
    const absl::Time start = now();
    co_await sleep(absl::Milliseconds(200));
    task.cancel();
    Outcome<void> outcome = co_await task;
    EXPECT_EQ(outcome.reason(), CancelReason::kRequested);
    EXPECT_EQ(now() - start, absl::Milliseconds(1100));
    co_return absl::OkStatus();
  });
}

Co<absl::Status> cancel_wait_for(TaskGroup& group, absl::Duration limit) {
  std::string log;
  Task<void> wait = group.spawn(
      [](absl::Duration limit, std::string* log) -> Co<void> {
        using Blocking = Co<void> (*)(std::string*);
        const Blocking blocking = [](std::string* log) -> Co<void> {
          Leaves leaves(*log, "body");
          Promise<int> never;
          absl::StatusOr<int> result = co_await never.future();
        };
        absl::Status status = co_await timeout(limit, blocking(log));
        ADD_FAILURE() << "a cancel from outside was reported as " << status;
      },
      limit, &log);
  co_await settle();
  wait.cancel();
  Outcome<void> outcome = co_await wait;
  EXPECT_EQ(outcome.reason(), CancelReason::kRequested);
  EXPECT_EQ(log, "body ") << "cancelling the wait cancels what is waited for (bpo-23219)";
  EXPECT_EQ(Loop::current().stats().timers, 0u);
  co_return absl::OkStatus();
}

// Row 30 (same).
TEST(AsyncioWaitFor, CancelWaitFor) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    co_return co_await cancel_wait_for(group, absl::Seconds(60));
  });
}

TEST(AsyncioWaitFor, CancelBlockingWaitFor) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    co_return co_await cancel_wait_for(group, absl::InfiniteDuration());
  });
}

}  // namespace
}  // namespace fermata

// asyncio's test_tasks.py: what cancelling a task does, and when. Rows 1 to 6 and 10.
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// Row 1 (same).
TEST(AsyncioTasks, Cancel) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> task = group.spawn(&value_after, absl::Seconds(10), 12);
    co_await settle();
    task.cancel();
    EXPECT_FALSE(task.done()) << "a request, not an act";
    Outcome<int> outcome = co_await task;
    EXPECT_EQ(outcome.reason(), CancelReason::kRequested);
    EXPECT_EQ(Loop::current().stats().timers, 0u) << "the sleep left its timer behind";
    task.cancel(CancelReason::kShutdown);
    EXPECT_EQ(task.outcome().reason(), CancelReason::kRequested) << "cancelled after its end";
    Task<int> ended = group.spawn(&value_after, absl::Seconds(1), 12);
    Outcome<int> value = co_await ended;
    ended.cancel();
    EXPECT_EQ(ended.outcome().value(), 12);
    co_return absl::OkStatus();
  });
}

// Row 2 (same).
TEST(AsyncioTasks, CancelWithMessageBeforeStartingTask) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<void> task = group.spawn(
        [](Counted) -> Co<void> {
          ADD_FAILURE() << "entered";
          co_await settle();
        },
        Counted());
    task.cancel(CancelReason::kOverload);
    Outcome<void> outcome = co_await task;
    EXPECT_EQ(outcome.reason(), CancelReason::kOverload) << "the reason is asyncio's message";
    EXPECT_EQ(Counted::live, 0) << "the arguments of a task that never ran";
    co_return absl::OkStatus();
  });
}

// Row 3 (same).
TEST(AsyncioTasks, CancelCurrentTask) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::string log;
    Task<int> task;
    task = group.spawn(
        [](Task<int>* self, std::string* log) -> Co<int> {
          self->cancel();
          *log += "still here";
          co_await sleep(absl::Seconds(100));
          *log += ", and again";
          co_return 12;
        },
        &task, &log);
    const absl::Time start = now();
    Outcome<int> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "still here");
    EXPECT_EQ(now(), start) << "the sleep never began";
    co_return absl::OkStatus();
  });
}

// Row 4 (deliberately different). asyncio replaces the value of a task that was cancelled in its
// last step. Here a request acts at suspensions only: work that is done is never thrown away.
TEST(AsyncioTasks, CancelAtEnd) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> task;
    task = group.spawn(
        [](Task<int>* self) -> Co<int> {
          self->cancel();
          co_return 12;
        },
        &task);
    Outcome<int> outcome = co_await task;
    EXPECT_FALSE(outcome.cancelled());
    EXPECT_EQ(outcome.value(), 12);
    co_return absl::OkStatus();
  });
}

Co<int> catching(Event* first, Event* second) {
  co_await first->wait();
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(second->wait());
  co_return outcome.cancelled() ? 42 : 0;
}

// Row 5 (adapted). There is no exception to catch: the catch point is CancelScope::run. What the
// coroutine returns from there, without suspending again, is the outcome of the task.
TEST(AsyncioTasks, CancelTaskCatching) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Event first;
    Event second;
    Task<int> task = group.spawn(&catching, &first, &second);
    co_await settle();
    first.set();
    co_await settle();
    task.cancel();
    Outcome<int> outcome = co_await task;
    EXPECT_EQ(outcome.value(), 42);
    co_return absl::OkStatus();
  });
}

// Row 6 (deliberately different). In asyncio a coroutine that swallows the exception goes on as if
// nothing had happened. A scope stays cancelled here: the next suspension ends it.
TEST(AsyncioTasks, CancelTaskIgnoring) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Event first;
    Event second;
    Event third;
    Task<int> task = group.spawn(
        [](Event* first, Event* second, Event* third) -> Co<int> {
          int caught = co_await catching(first, second);
          EXPECT_EQ(caught, 42);
          co_await third->wait();
          co_return caught;
        },
        &first, &second, &third);
    first.set();
    co_await settle();
    task.cancel();
    co_await settle();
    EXPECT_TRUE(task.done()) << "asyncio waits for the third event here";
    third.set();
    EXPECT_TRUE(task.outcome().cancelled());
    co_return absl::OkStatus();
  });
}

// Row 10 (same).
TEST(AsyncioTasks, UncancelStructuredBlocks) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    using Request = Co<std::string> (*)(absl::Duration);
    const Request make_request = [](absl::Duration limit) -> Co<std::string> {
      std::string log;
      absl::Status status = co_await timeout(limit, sleep(absl::Seconds(10)));
      log += status.ok() ? "finished" : "timed out";
      co_await sleep(absl::Seconds(1));
      log += ", outer code reached";
      co_return log;
    };
    Task<std::string> late = group.spawn(make_request, absl::Seconds(1));
    Task<std::string> in_time = group.spawn(make_request, absl::Seconds(20));
    Outcome<std::string> first = co_await late;
    Outcome<std::string> second = co_await in_time;
    EXPECT_EQ(first.value(), "timed out, outer code reached");
    EXPECT_EQ(second.value(), "finished, outer code reached");
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

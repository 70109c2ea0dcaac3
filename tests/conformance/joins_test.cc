// asyncio's test_tasks.py: awaiting tasks, whose turn it is, who is left. Rows 7 to 9, 11 and 13.
#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/current_task.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// Row 7 (deliberately different). bpo-34872: cancelling a task cancels, in asyncio, the task it
// awaits. Here waiting is not owning: the group owns the nested task, which goes on.
TEST(AsyncioTasks, CancelAwaitedTask) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> nested = group.spawn(&value_after, absl::Seconds(5), 7);
    Task<void> task;
    task = group.spawn(
        [](Task<void>* self, Task<int> nested) -> Co<void> {
          co_await yield_now();
          self->cancel();
          co_await nested;
          ADD_FAILURE() << "went on";
        },
        &task, nested);
    Outcome<void> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_FALSE(nested.done());
    Outcome<int> value = co_await nested;
    EXPECT_EQ(value.value(), 7);
    co_return absl::OkStatus();
  });
}

// Row 8 (same): what asyncio.wait() is to a set of tasks, joining them in turn is here.
TEST(AsyncioTasks, YieldWaitDoesNotShieldCancel) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int proof = 0;
    Event waiter;
    using Inner = Co<void> (*)(Event*, int*);
    const Inner inner = [](Event* waiter, int* proof) -> Co<void> {
      co_await waiter->wait();
      ++*proof;
    };
    Task<void> one = group.spawn(inner, &waiter, &proof);
    Task<void> two = group.spawn(inner, &waiter, &proof);
    Task<void> outer = group.spawn(
        [](Task<void> one, Task<void> two, int* proof) -> Co<void> {
          co_await one;
          co_await two;
          *proof += 100;
        },
        one, two, &proof);
    co_await settle();
    outer.cancel();
    Outcome<void> outcome = co_await outer;
    EXPECT_TRUE(outcome.cancelled());
    waiter.set();
    co_await settle();
    EXPECT_EQ(proof, 2);
    co_return absl::OkStatus();
  });
}

Co<void> await_later(Task<void>* other) {
  co_await yield_now();
  co_await *other;
}

// Row 9 (same): an error, not a hang. The direct case, and awaiting the task around one's group.
TEST(AsyncioTasksDeathTest, TaskAwaitsOnItself) {
  EXPECT_DEATH(in_group([](TaskGroup& group) -> Co<absl::Status> {
                 Task<void> task;
                 task = group.spawn(&await_later, &task);
                 co_await task;
                 co_return absl::OkStatus();
               }),
               "awaits itself");
  EXPECT_DEATH(in_group([](TaskGroup& group) -> Co<absl::Status> {
                 Task<void> task;
                 task = group.spawn(
                     [](Task<void>* self) -> Co<absl::Status> {
                       co_return co_await timeout(absl::Hours(1), await_later(self));
                     },
                     &task);
                 co_await task;
                 co_return absl::OkStatus();
               }),
               "awaits itself, or a task it is part of");
}

// Row 9, the ring of two: asyncio hangs. The simulated loop says who waits, and where.
TEST(AsyncioTasks, TasksThatAwaitEachOtherAreNamed) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const absl::Status status = run_once(seed, []() -> Co<absl::Status> {
      co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
        Task<void> ping;
        Task<void> pong;
        ping = group.spawn_named("ping", &await_later, &pong);
        pong = group.spawn_named("pong", &await_later, &ping);
        co_await ping;
        co_return absl::OkStatus();
      });
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(status.message().find("ping"), std::string::npos) << status;
    EXPECT_NE(status.message().find("await_later"), std::string::npos) << status;
  }
}

Co<void> interleaving(std::uint64_t* self, Event* waits, Event* sets, int depth) {
  std::uint64_t before = co_await current_task_id();
  EXPECT_EQ(before, *self);
  if (depth > 0) {
    absl::Status status =
        co_await timeout(absl::Hours(1), interleaving(self, waits, sets, depth - 1));
    EXPECT_TRUE(status.ok());
  } else {
    sets->set();
    co_await waits->wait();
  }
  std::uint64_t after = co_await current_task_id();
  EXPECT_EQ(after, *self) << "after the switch, at depth " << depth;
}

// Row 11 (same), at every depth of calls and scopes.
TEST(AsyncioTasks, CurrentTaskWithInterleavingTasks) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Event first;
    Event second;
    std::uint64_t ids[2] = {};
    Task<void> one = group.spawn(&interleaving, &ids[0], &first, &second, 0);
    Task<void> two = group.spawn(&interleaving, &ids[1], &second, &first, 3);
    ids[0] = one.id();
    ids[1] = two.id();
    co_await one;
    co_await two;
    co_return absl::OkStatus();
  });
}

// Row 13 (adapted). A pending task cannot be destroyed here: its group waits for it. What asyncio
// logs when the collector finds one is the deadlock report of the loop, with its name and place.
TEST(AsyncioTasks, LogDestroyedPendingTask) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const absl::Status status = run_once(seed, []() -> Co<absl::Status> {
      Promise<int> promise;
      static_cast<SimLoop&>(Loop::current())
          .root()
          .spawn_named(
              "kill me",
              [](Future<int> never) -> Co<void> {
                Counted counted;
                absl::StatusOr<int> result = co_await never;
              },
              promise.future());
      co_await sleep(absl::Hours(1));
      Event never;
      co_await never.wait();
      co_return absl::OkStatus();
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(status.message().find("kill me"), std::string::npos) << status;
  }
}

TEST(AsyncioTasksDeathTest, LogDestroyedPendingTask) {
  EXPECT_DEATH((void)run_once(0,
                              []() -> Co<absl::Status> {
                                OpenGroup group;
                                group.spawn(&sleep_an_hour);
                                co_return absl::OkStatus();
                              }),
               "destroyed while a child was running");
}

}  // namespace
}  // namespace fermata

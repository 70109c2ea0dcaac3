// tokio's task_abort.rs, task_join_set.rs, coop_budget.rs and the edges of sync_mpsc.rs. abort() is
// cancel(), a JoinSet is a group, a channel is a Queue, close() is shutdown().
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// ---- task_abort

// remote_abort_local_set_3929 and test_abort_task_that_panics_on_drop_*: who cancels may be
// anybody, and what a task holds goes with it, once.
TEST(TokioTaskAbort, AbortDropsWhatTheTaskHolds) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    auto held = std::make_shared<int>(1);
    Task<void> task = group.spawn(
        [](std::shared_ptr<int> held) -> Co<void> {
          std::shared_ptr<int> copy = held;
          co_await sleep_an_hour();
        },
        held);
    co_await settle();
    EXPECT_GT(held.use_count(), 2);
    task.cancel();
    co_await task;
    EXPECT_EQ(held.use_count(), 1) << "the handle keeps the outcome only";
    co_return absl::OkStatus();
  });
}

// test_abort_wakes_task_3964: a task parked for ever ends when it is cancelled, wherever it is.
TEST(TokioTaskAbort, AbortWakesATaskThatNothingElseWould) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Event never;
    Lock lock;
    Queue<int> queue(1);
    Promise<int> promise;
    Lock::Guard guard = co_await lock.acquire();
    std::vector<Task<void>> tasks;
    tasks.push_back(group.spawn([](Event* event) -> Co<void> { co_await event->wait(); }, &never));
    tasks.push_back(group.spawn(
        [](Lock* lock) -> Co<void> { Lock::Guard guard = co_await lock->acquire(); }, &lock));
    tasks.push_back(
        group.spawn([](Queue<int>* queue) -> Co<void> { co_await queue->get(); }, &queue));
    tasks.push_back(group.spawn(
        [](Future<int> future) -> Co<void> { absl::StatusOr<int> value = co_await future; },
        promise.future()));
    tasks.push_back(group.spawn([](Task<void> other) -> Co<void> { co_await other; }, tasks[0]));
    tasks.push_back(group.spawn([]() -> Co<void> { co_await sleep(absl::InfiniteDuration()); }));
    co_await settle();
    for (std::size_t i = tasks.size(); i-- > 0;) {
      tasks[i].cancel();
      Outcome<void> outcome = co_await tasks[i];
      EXPECT_TRUE(outcome.cancelled()) << "task " << i;
    }
    co_return absl::OkStatus();
  });
}

// test_abort_without_panic_3157, abort after completion, and from inside itself at the end.
TEST(TokioTaskAbort, AbortOfACompletedTaskKeepsItsResult) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> task = group.spawn(&value_after, absl::ZeroDuration(), 3);
    Outcome<int> first = co_await task;
    task.cancel();
    Outcome<int> second = co_await task;
    EXPECT_EQ(first.value() + second.value(), 6);
    co_return absl::OkStatus();
  });
}

// ---- task_join_set

// test_abort_on_drop, abort_tasks: when the body of a group is gone so are its tasks; they do not
// run on without an owner, and are gone before the body's locals are.
TEST(TokioJoinSet, AbortOnDrop) {
  in_group([](TaskGroup& outer) -> Co<absl::Status> {
    std::string log;
    Task<void> owner = outer.spawn(
        [](std::string* log) -> Co<absl::Status> {
          co_return co_await with_group(
              [](TaskGroup& set, std::string* log) -> Co<absl::Status> {
                Leaves local(*log, "set");
                for (int i = 0; i < 3; ++i) {
                  set.spawn(
                      [](std::string* log) -> Co<void> {
                        Leaves leaves(*log, "task");
                        co_await sleep_an_hour();
                      },
                      log);
                }
                co_await sleep_an_hour();
                co_return absl::OkStatus();
              },
              log);
        },
        &log);
    co_await settle();
    owner.cancel();
    co_await owner;
    EXPECT_EQ(log, "task task task set ");
    co_return absl::OkStatus();
  });
}

// test_with_sleep: joining in the order of ends, whatever the order of starts.
TEST(TokioJoinSet, ResultsInTheOrderOfTheirEnds) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Queue<int> ended(10);
    std::string order;
    co_await Try(with_group(
        [](TaskGroup& set, Queue<int>* ended, std::string* order) -> Co<absl::Status> {
          for (int i = 9; i >= 0; --i) {
            set.spawn(
                [](int i, Queue<int>* ended) -> Co<absl::Status> {
                  co_await sleep(absl::Milliseconds(10 + i));
                  co_return co_await ended->put(i);
                },
                i, ended);
          }
          for (int i = 0; i < 10; ++i) {
            std::optional<int> item = co_await ended->get();
            *order += std::to_string(*item);
          }
          co_return absl::OkStatus();
        },
        &ended, &order));
    EXPECT_EQ(order, "0123456789");
    co_return absl::OkStatus();
  });
}

// ---- coop_budget

// An operation that never has to wait makes way after Loop::kStepBudget times, and only then.
template <class Operation>
std::uint64_t steps_for(Operation operation, int count) {
  std::uint64_t steps = 0;
  SimLoop loop;
  const absl::Status status = loop.run(
      [](Operation operation, int count, std::uint64_t* steps) -> Co<absl::Status> {
        const std::uint64_t before = Loop::current().stats().steps;
        co_await operation(count);
        *steps = Loop::current().stats().steps - before;
        co_return absl::OkStatus();
      },
      operation, count, &steps);
  EXPECT_EQ(status, absl::OkStatus());
  return steps;
}

TEST(TokioCoopBudget, IsSpentByEveryLeafThatIsReady) {
  constexpr int kRounds = 10;
  constexpr int kCount = kRounds * static_cast<int>(Loop::kStepBudget);
  const auto expect_rounds = [](std::uint64_t steps, const char* what) {
    if (kChecked) {  // there every await suspends
      EXPECT_GE(steps, static_cast<std::uint64_t>(kCount)) << what;
      return;
    }
    EXPECT_GE(steps, static_cast<std::uint64_t>(kRounds - 2)) << what << " starves the others";
    EXPECT_LE(steps, static_cast<std::uint64_t>(kRounds + 2)) << what << " yields too often";
  };
  using Operation = Co<void> (*)(int);
  const Operation event = [](int count) -> Co<void> {
    Event set;
    set.set();
    for (int i = 0; i < count; ++i) co_await set.wait();
  };
  expect_rounds(steps_for(event, kCount), "Event");
  const Operation lock = [](int count) -> Co<void> {
    Lock lock;
    for (int i = 0; i < count; ++i) Lock::Guard guard = co_await lock.acquire();
  };
  expect_rounds(steps_for(lock, kCount), "Lock");
  const Operation semaphore = [](int count) -> Co<void> {
    Semaphore semaphore(1);
    for (int i = 0; i < count; ++i) Semaphore::Permit permit = co_await semaphore.acquire();
  };
  expect_rounds(steps_for(semaphore, kCount), "Semaphore");
  const Operation future = [](int count) -> Co<void> {
    Promise<int> promise;
    promise.set_value(1);
    for (int i = 0; i < count; ++i) absl::StatusOr<int> value = co_await promise.future();
  };
  expect_rounds(steps_for(future, kCount), "Future");
  const Operation queue = [](int count) -> Co<void> {
    Queue<int> queue(1);
    for (int i = 0; i < count / 2; ++i) {
      absl::Status status = co_await queue.put(i);
      co_await queue.get();
    }
  };
  expect_rounds(steps_for(queue, kCount), "Queue");
}

// ---- sync_mpsc

// start_send_past_cap, reserve_disarm: a place that a cancelled sender waited for goes to the next.
TEST(TokioMpsc, APlaceGoesToTheNextSender) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Queue<int> channel(1);
    EXPECT_TRUE(channel.put_nowait(0).ok());
    using Send = Co<absl::Status> (*)(Queue<int>*, int);
    const Send send = [](Queue<int>* channel, int item) -> Co<absl::Status> {
      co_return co_await channel->put(item);
    };
    Task<void> first = group.spawn(send, &channel, 1);
    co_await settle();
    Task<void> second = group.spawn(send, &channel, 2);
    co_await settle();
    first.cancel();
    co_await first;
    EXPECT_EQ(channel.get_nowait(), 0);
    co_await second;
    EXPECT_EQ(channel.get_nowait(), 2);
    EXPECT_TRUE(channel.empty());
    co_return absl::OkStatus();
  });
}

// recv_close_gets_none_idle, _reserved, tx_close_gets_none, try_send_fail.
TEST(TokioMpsc, CloseEdges) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Queue<int> idle(10);
    idle.shutdown();
    std::optional<int> none = co_await idle.get();
    EXPECT_FALSE(none.has_value());
    absl::Status late = co_await idle.put(1);
    EXPECT_EQ(late.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(idle.put_nowait(1).code(), absl::StatusCode::kFailedPrecondition);
    // A sender that had its place before the end has sent; the one behind it has not.
    Queue<int> full(1);
    EXPECT_TRUE(full.put_nowait(1).ok());
    Task<void> placed = group.spawn(
        [](Queue<int>* full) -> Co<absl::Status> { co_return co_await full->put(2); }, &full);
    co_await settle();
    Task<void> behind = group.spawn(
        [](Queue<int>* full) -> Co<void> {
          absl::Status status = co_await full->put(3);
          EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
        },
        &full);
    co_await settle();
    EXPECT_EQ(full.get_nowait(), 1);
    full.shutdown();
    co_await placed;
    co_await behind;
    EXPECT_EQ(full.get_nowait(), 2);
    none = co_await full.get();
    EXPECT_FALSE(none.has_value());
    co_return absl::OkStatus();
  });
}

// unconsumed_messages_are_dropped
TEST(TokioMpsc, UnconsumedMessagesAreDropped) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    auto message = std::make_shared<int>(1);
    {
      Queue<std::shared_ptr<int>> channel(100);
      EXPECT_TRUE(channel.put_nowait(std::shared_ptr<int>(message)).ok());
      EXPECT_EQ(message.use_count(), 2);
    }
    EXPECT_EQ(message.use_count(), 1);
    Queue<std::shared_ptr<int>> closed(1);
    closed.shutdown();
    absl::Status status = co_await closed.put(message);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(message.use_count(), 1) << "a refused message is not kept";
    co_return absl::OkStatus();
  });
}

TEST(TokioMpscDeathTest, BufferGteqOne) { EXPECT_DEATH(Queue<int>(0), "at least one item"); }

}  // namespace
}  // namespace fermata

// Trio's test_sync.py, test_channel.py, test_scheduler_determinism.py, test_mock_clock.py and the
// introspection of test_run.py: who is next, and that a seed is a run.
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// test_Lock_and_StrictFIFOLock, generic_lock_fifo_fairness: three that go round and round take
// turns, whatever the loop's order. Once all have queued, nobody is ever passed.
struct Fair {
  Lock lock;
  Semaphore semaphore{1};
  std::vector<int> record;
};

Co<void> loop_with_lock(Fair* fair, int who) {
  for (int round = 0; round < 10; ++round) {
    Lock::Guard guard = co_await fair->lock.acquire();
    fair->record.push_back(who);
    co_await sleep(absl::Milliseconds(1));
  }
}

Co<void> loop_with_semaphore(Fair* fair, int who) {
  for (int round = 0; round < 10; ++round) {
    Semaphore::Permit permit = co_await fair->semaphore.acquire();
    fair->record.push_back(who);
    co_await sleep(absl::Milliseconds(1));
  }
}

Co<absl::Status> take_turns(Co<void> (*taker)(Fair*, int)) {
  Fair fair;
  co_await Try(with_group(
      [](TaskGroup& group, Co<void> (*taker)(Fair*, int), Fair* fair) -> Co<absl::Status> {
        for (int i = 0; i < 3; ++i) {
          group.spawn(taker, fair, i);
          co_await settle();
        }
        co_return absl::OkStatus();
      },
      taker, &fair));
  EXPECT_EQ(fair.record.size(), 30u);
  for (std::size_t i = 0; i < fair.record.size(); ++i) {
    EXPECT_EQ(fair.record[i], static_cast<int>(i % 3)) << "turn " << i;
  }
  co_return absl::OkStatus();
}

TEST(TrioSync, GenericLockFifoFairness) {
  in_group([](TaskGroup&) -> Co<absl::Status> { co_return co_await take_turns(&loop_with_lock); });
  in_group(
      [](TaskGroup&) -> Co<absl::Status> { co_return co_await take_turns(&loop_with_semaphore); });
}

// test_lock_handover: between the release and the turn of the next holder it cannot be taken.
TEST(TrioSync, LockHandover) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Fair fair;
    std::optional<Lock::Guard> mine = fair.lock.try_acquire();
    std::optional<Semaphore::Permit> permit = fair.semaphore.try_acquire();
    Task<void> waits = group.spawn(&loop_with_lock, &fair, 1);
    Task<void> too = group.spawn(&loop_with_semaphore, &fair, 1);
    co_await settle();
    mine.reset();
    permit.reset();
    EXPECT_TRUE(fair.lock.locked());
    EXPECT_FALSE(fair.lock.try_acquire().has_value());
    EXPECT_EQ(fair.semaphore.available(), 0u);
    EXPECT_FALSE(fair.semaphore.try_acquire().has_value());
    co_await waits;
    co_await too;
    co_return absl::OkStatus();
  });
}

// generic_lock_acquire_nowait_blocks_acquire
TEST(TrioSync, GenericLockAcquireNowaitBlocksAcquire) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Fair fair;
    std::optional<Lock::Guard> mine = fair.lock.try_acquire();
    Task<void> waits = group.spawn(&loop_with_lock, &fair, 1);
    co_await sleep(absl::Seconds(1));
    EXPECT_TRUE(fair.record.empty());
    mine.reset();
    co_await waits;
    EXPECT_EQ(fair.record.size(), 10u);
    co_return absl::OkStatus();
  });
}

struct Channel {
  Queue<int> queue{1};
  int got[3] = {};
};

// test_channel_fairness: who gets an item and at once asks again queues behind those who wait, even
// when there is always something to get.
TEST(TrioSync, ChannelFairness) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Channel channel;
    co_await Try(with_group(
        [](TaskGroup& group, Channel* channel) -> Co<absl::Status> {
          for (int i = 0; i < 3; ++i) {
            group.spawn(
                [](Channel* channel, int who) -> Co<void> {
                  for (;;) {
                    std::optional<int> item = co_await channel->queue.get();
                    if (!item.has_value()) co_return;
                    ++channel->got[who];
                  }
                },
                channel, i);
          }
          co_await settle();
          for (int i = 0; i < 300; ++i) co_await Try(channel->queue.put(i));
          channel->queue.shutdown();
          co_return absl::OkStatus();
        },
        &channel));
    EXPECT_EQ(channel.got[0] + channel.got[1] + channel.got[2], 300);
    for (int got : channel.got) EXPECT_GE(got, 20) << "one took (nearly) all";
    co_return absl::OkStatus();
  });
}

// ---- a seed is a run

// The order of the steps of five tasks that yield and sleep, with the times at which they ran.
std::string trace(std::uint64_t seed) {
  std::string log;
  SimLoop loop(seed);
  const absl::Status status = loop.run(
      [](std::string* log) -> Co<absl::Status> {
        co_return co_await with_group(
            [](TaskGroup& group, std::string* log) -> Co<absl::Status> {
              for (int i = 0; i < 5; ++i) {
                group.spawn(
                    [](int i, std::string* log) -> Co<void> {
                      for (int k = 0; k < 4; ++k) {
                        *log += std::to_string(i);
                        if (k % 2 == 0) co_await yield_now();
                        int n = co_await offload([](int n) { return n; }, i);
                        *log += std::to_string(n) + "@" +
                                std::to_string(Loop::current().now_ns() / 1000) + " ";
                      }
                    },
                    i, log);
              }
              co_return absl::OkStatus();
            },
            log);
      },
      &log);
  EXPECT_EQ(status, absl::OkStatus());
  return log;
}

// test_scheduler_determinism: also with other objects in memory in between.
TEST(TrioScheduler, TheSameSeedGivesTheSameTrace) {
  std::vector<std::string> traces;
  for (std::uint64_t seed = 0; seed < 20; ++seed) traces.push_back(trace(seed));
  std::vector<std::unique_ptr<int>> in_the_way;
  for (int i = 0; i < 1000; ++i) in_the_way.push_back(std::make_unique<int>(i));
  for (std::uint64_t seed = 20; seed-- > 0;) {
    EXPECT_EQ(trace(seed), traces[seed]) << "seed " << seed;
  }
}

TEST(TrioScheduler, ADifferentSeedGivesADifferentTrace) {
  std::vector<std::string> traces;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    traces.push_back(trace(seed));
    for (std::uint64_t other = 0; other < seed; ++other) {
      EXPECT_NE(traces[seed], traces[other]) << "seeds " << seed << " and " << other;
    }
  }
}

// test_mock_clock: time stands still while anything can run, and jumps to the next deadline.
TEST(TrioMockClock, JumpsWhenEverybodyWaits) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    const absl::Time start = now();
    for (int i = 0; i < 1000; ++i) co_await yield_now();
    EXPECT_EQ(now(), start) << "time passed while there was work";
    Task<void> ten_years = group.spawn([]() -> Co<void> { co_await sleep(absl::Hours(87'600)); });
    std::string order;
    for (int s : {3, 1, 2}) {
      group.spawn(
          [](int s, std::string* order) -> Co<void> {
            co_await sleep(absl::Seconds(s));
            *order += std::to_string(s);
          },
          s, &order);
    }
    co_await sleep(absl::Seconds(2) + absl::Nanoseconds(1));
    EXPECT_EQ(order, "12");
    EXPECT_EQ(now() - start, absl::Seconds(2) + absl::Nanoseconds(1)) << "it jumps no further";
    co_await ten_years;
    EXPECT_EQ(now() - start, absl::Hours(87'600));
    co_return absl::OkStatus();
  });
}

// test_task_tree_introspection: who is whose child, through groups in groups.
TEST(TrioRun, TaskTreeIntrospection) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<void> parent = group.spawn_named("parent", []() -> Co<absl::Status> {
      co_return co_await with_group([](TaskGroup& outer) -> Co<absl::Status> {
        outer.spawn_named("child1", &sleep_an_hour);
        co_return co_await with_group([](TaskGroup& inner) -> Co<absl::Status> {
          inner.spawn_named("child2", []() -> Co<absl::Status> {
            co_return co_await with_group([](TaskGroup& innermost) -> Co<absl::Status> {
              innermost.spawn_named("grandchild", &sleep_an_hour);
              co_return absl::OkStatus();
            });
          });
          co_return absl::OkStatus();
        });
      });
    });
    co_await settle();
    std::string tree;
    const std::vector<TaskInfo> tasks = ps(Loop::current());
    for (const TaskInfo& task : tasks) {
      for (const TaskInfo& other : tasks) {
        if (other.id == task.parent) tree += other.name + ">" + task.name + " ";
      }
      EXPECT_EQ(task.state, task.name == "main" ? "ready" : "waiting") << task.name;
    }
    EXPECT_EQ(tree, "main>parent parent>child1 parent>child2 child2>grandchild ");
    parent.cancel();
    EXPECT_EQ(ps(Loop::current())[1].state, "cancelling");
    co_await parent;
    EXPECT_EQ(ps(Loop::current()).size(), 1u);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

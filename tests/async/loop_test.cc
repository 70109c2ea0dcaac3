// The loops that wait in the kernel: posts from threads, offload, run().
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/loops.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

using Post = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(Post);
using Offloading = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(Offloading);
using Running = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(Running);

// ---- post

TEST_P(Post, FromManyThreadsArrivesInOrderOfEachAndOnce) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  const std::unique_ptr<KernelLoop> loop = make();
  Event all;
  std::vector<int> last(kThreads, -1);
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop->post([&, t, i] {
          EXPECT_EQ(last[static_cast<std::size_t>(t)], i - 1);
          last[static_cast<std::size_t>(t)] = i;
          if (++count == kThreads * kPosts) all.set();
        });
      }
    });
  }
  const absl::Status status = loop->run(
      [](Event& all) -> Co<absl::Status> {
        co_await all.wait();
        co_return absl::OkStatus();
      },
      all);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(count, kThreads * kPosts);
}

TEST_P(Post, WakesALoopThatSleeps) {
  const std::unique_ptr<KernelLoop> loop = make();
  Event pinged;
  std::atomic<bool> asked{false};
  // The answer can only come after the loop went to sleep waiting for it, again and again.
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      while (!asked.exchange(false, std::memory_order_acquire)) std::this_thread::yield();
      loop->post([&] { pinged.set(); });
    }
  });
  const absl::Status status = loop->run(
      [](Event& pinged, std::atomic<bool>& asked) -> Co<absl::Status> {
        for (int i = 0; i < 1000; ++i) {
          pinged.clear();
          asked.store(true, std::memory_order_release);
          co_await pinged.wait();
        }
        co_return absl::OkStatus();
      },
      pinged, asked);
  other.join();
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_GE(loop->stats().posts, 1000u);
}

TEST_P(Post, WhatComesTooLateIsDroppedWithTheLoop) {
  auto guard = std::make_shared<int>(1);
  {
    const std::unique_ptr<KernelLoop> loop = make();
    EXPECT_EQ(loop->run([]() -> Co<absl::Status> { co_return absl::OkStatus(); }),
              absl::OkStatus());
    loop->post([guard] { ADD_FAILURE() << "ran after the end"; });
    EXPECT_EQ(guard.use_count(), 2);
  }
  EXPECT_EQ(guard.use_count(), 1) << "the callback was leaked";
}

TEST_P(Post, ACallbackMaySpawnIntoTheRootGroup) {
  const std::unique_ptr<KernelLoop> loop = make();
  int ran = 0;
  loop->post([&] {
    loop->root().spawn(
        [](int* ran) -> Co<absl::Status> {
          co_await yield_now();
          ++*ran;
          co_return absl::OkStatus();
        },
        &ran);
  });
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    co_await sleep(absl::Milliseconds(5));
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
  EXPECT_EQ(ran, 1);
}

// ---- offload

int blocking_sum(std::vector<int> numbers) {
  int sum = 0;
  for (int n : numbers) sum += n;
  return sum;
}

TEST_P(Offloading, RunsOnAnotherThreadAndGivesTheResult) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    std::thread::id here = std::this_thread::get_id();
    std::thread::id there = co_await offload(&std::this_thread::get_id);
    EXPECT_NE(here, there);
    std::vector<int> numbers(1000, 2);
    int sum = co_await offload(&blocking_sum, numbers);
    EXPECT_EQ(sum, 2000);
    std::unique_ptr<int> box =
        co_await offload([](std::unique_ptr<int> in) { return std::make_unique<int>(*in + 1); },
                         std::make_unique<int>(1));
    EXPECT_EQ(*box, 2);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST_P(Offloading, AnExceptionComesBackToTheCaller) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    std::string caught;
    try {
      co_await offload([] { throw std::runtime_error("on a thread"); });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "on a thread");
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST_P(Offloading, ManyAtOnceAllEnd) {
  const std::unique_ptr<KernelLoop> loop = make(3);
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    int sum = 0;
    co_await Try(with_group(
        [](TaskGroup& group, int& sum) -> Co<absl::Status> {
          for (int i = 0; i < 500; ++i) {
            group.spawn(
                [](int i, int* sum) -> Co<absl::Status> {
                  int twice = co_await offload([](int n) { return 2 * n; }, i);
                  *sum += twice;
                  co_return absl::OkStatus();
                },
                i, &sum);
          }
          co_return absl::OkStatus();
        },
        sum));
    EXPECT_EQ(sum, 499 * 500);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

// test_run_in_executor_cancel: a call that runs is waited for, one that is queued never begins.
TEST_P(Offloading, CancelledWhileItRunsItIsWaitedFor) {
  const std::unique_ptr<KernelLoop> loop = make(1);
  std::atomic<bool> release{false};
  std::atomic<bool> began{false};
  std::atomic<bool> second_ran{false};
  bool first_destroyed_early = false;
  const absl::Status status = loop->run(
      [](std::atomic<bool>* release, std::atomic<bool>* began, std::atomic<bool>* second_ran,
         bool* early) -> Co<absl::Status> {
        co_return co_await with_group(
            [](TaskGroup& group, std::atomic<bool>* release, std::atomic<bool>* began,
               std::atomic<bool>* second_ran, bool* early) -> Co<absl::Status> {
              Task<void> first = group.spawn(
                  [](std::atomic<bool>* release, std::atomic<bool>* began) -> Co<void> {
                    Counted counted;
                    co_await offload(
                        [](std::atomic<bool>* release, std::atomic<bool>* began) {
                          began->store(true);
                          while (!release->load()) std::this_thread::yield();
                        },
                        release, began);
                  },
                  release, began);
              while (!began->load()) co_await sleep(absl::Microseconds(50));
              Task<void> second = group.spawn(
                  [](std::atomic<bool>* ran) -> Co<void> {
                    co_await offload([](std::atomic<bool>* ran) { ran->store(true); }, ran);
                  },
                  second_ran);
              co_await sleep(absl::Milliseconds(1));
              first.cancel();
              second.cancel();
              Outcome<void> queued = co_await second;
              EXPECT_TRUE(queued.cancelled());
              *early = first.done();
              release->store(true);
              Outcome<void> running = co_await first;
              EXPECT_TRUE(running.cancelled());
              co_return absl::OkStatus();
            },
            release, began, second_ran, early);
      },
      &release, &began, &second_ran, &first_destroyed_early);
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_FALSE(second_ran.load());
  EXPECT_FALSE(first_destroyed_early);
  EXPECT_EQ(Counted::live, 0);
}

TEST_P(Running, GivesTheStatusOfMain) {
  EXPECT_EQ(run([]() -> Co<absl::Status> { co_return absl::AbortedError("why"); }()),
            absl::AbortedError("why"));
}

// test_asyncio_run cancels_hanging_tasks, reports_hanging_tasks_errors
TEST_P(Running, CancelsAndReportsWhatIsLeft) {
  const std::unique_ptr<KernelLoop> loop = make();
  std::string log;
  KernelLoop* l = loop.get();
  std::string* out = &log;
  const absl::Status status = loop->run(
      [](KernelLoop* loop, std::string* log) -> Co<absl::Status> {
        loop->root().spawn(
            [](std::string* log) -> Co<absl::Status> {
              CancelScope scope;
              Outcome<void> outcome = co_await scope.run(sleep(absl::Hours(1)));
              *log += to_string(outcome.reason());
              co_return absl::DataLossError("left over");
            },
            log);
        co_await sleep(absl::Milliseconds(1));
        co_return absl::OkStatus();
      },
      l, out);
  EXPECT_EQ(status, absl::DataLossError("left over"));
  EXPECT_EQ(log, "cancelled by shutdown");
}

TEST_P(Running, TheLoopCanRunAgain) {
  const std::unique_ptr<KernelLoop> loop = make();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
      co_await sleep(absl::Microseconds(10));
      co_return absl::OkStatus();
    }),
              absl::OkStatus());
  }
}

TEST_P(Running, SleepsDoNotEndEarly) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    for (int i = 0; i < 50; ++i) {
      const absl::Time start = absl::Now();
      co_await sleep(absl::Microseconds(300));
      EXPECT_GE(absl::Now() - start, absl::Microseconds(299));
    }
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
  EXPECT_GE(loop->stats().timers_fired, 50u);
}

TEST_P(Running, StatsCountWhatHappened) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    LoopStats stats = Loop::current().stats();
    EXPECT_EQ(stats.live_tasks, 1u);
    co_await sleep(absl::Microseconds(10));
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
  const LoopStats stats = loop->stats();
  EXPECT_EQ(stats.live_tasks, 0u);
  EXPECT_EQ(stats.tasks_started, 1u);
  EXPECT_EQ(stats.timers, 0u);
  EXPECT_GT(stats.steps, 0u);
  EXPECT_GT(stats.idle_ns, 0);
  EXPECT_GT(stats.busy_ns, 0);
}

}  // namespace
}  // namespace fermata

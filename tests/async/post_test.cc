// Loop::post on the loops that wait in the kernel: the way in from other threads.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
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

// The number of writes is what other threads pay; it must not grow with the number of posts.
TEST_P(Post, WritesAtMostOncePerSleep) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 3000;
  const std::unique_ptr<KernelLoop> loop = make();
  Event all;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kPosts; ++i) {
        loop->post([&] {
          if (++count == kThreads * kPosts) all.set();
        });
        if (i % 16 == 0) std::this_thread::yield();  // so that the loop falls asleep in between
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
  const LoopStats stats = loop->stats();
  EXPECT_EQ(stats.posts, std::uint64_t{kThreads} * kPosts);
  EXPECT_LE(stats.wake_writes, stats.wakeups);
}

// One at a time, each to a loop that sleeps: then it is a write for each.
TEST_P(Post, WritesForEverySleepThatItEnds) {
  static constexpr std::uint64_t kRounds = 200;
  const std::unique_ptr<KernelLoop> loop = make();
  Event done;
  std::thread other([&] {
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      std::atomic<bool> arrived{false};
      loop->post([&arrived, &done, i] {
        if (i + 1 == kRounds) done.set();
        arrived.store(true, std::memory_order_release);
      });
      while (!arrived.load(std::memory_order_acquire)) std::this_thread::yield();
    }
  });
  const absl::Status status = loop->run(
      [](Event& done) -> Co<absl::Status> {
        co_await done.wait();
        co_return absl::OkStatus();
      },
      done);
  other.join();
  EXPECT_EQ(status, absl::OkStatus());
  const LoopStats stats = loop->stats();
  EXPECT_LE(stats.wake_writes, stats.wakeups);
  EXPECT_LE(stats.wake_writes, kRounds);
  EXPECT_GT(stats.wake_writes, 0u);
}

// ---- trio's test_TrioToken_run_sync_soon_*: FIFO, massive_queue, starvation_resistance, too_late
// (the last is WhatComesTooLateIsDroppedWithTheLoop), threaded_stress (the tests above)

TEST_P(Post, KeepsTheOrderOfAMassiveQueue) {
  constexpr int kPosts = 20000;
  const std::unique_ptr<KernelLoop> loop = make();
  std::vector<int> seen;
  for (int i = 0; i < kPosts; ++i) loop->post([&seen, i] { seen.push_back(i); });
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    co_await sleep(absl::Microseconds(1));
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
  ASSERT_EQ(seen.size(), std::size_t{kPosts});
  for (int i = 0; i < kPosts; ++i) ASSERT_EQ(seen[static_cast<std::size_t>(i)], i);
}

// A callback that posts itself again and again must not keep tasks from running, nor tasks that
// never wait keep posts from arriving.
TEST_P(Post, StarvesNobodyAndIsNotStarved) {
  struct Again {
    KernelLoop* loop;
    int calls = 0;
    bool stop = false;
    void call() {
      ++calls;
      if (!stop) loop->post([this] { call(); });
    }
  };
  const std::unique_ptr<KernelLoop> loop = make();
  Again again{loop.get()};
  again.call();
  EXPECT_EQ(loop->run(
                [](Again& again) -> Co<absl::Status> {
                  const int before = again.calls;
                  while (again.calls < before + 100) co_await yield_now();
                  co_await sleep(absl::Milliseconds(1));
                  again.stop = true;
                  co_return absl::OkStatus();
                },
                again),
            absl::OkStatus());
  EXPECT_GE(again.calls, 100);
}

}  // namespace
}  // namespace fermata

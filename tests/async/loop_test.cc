// The loops that wait in the kernel: posts from threads, offload, run().
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

// ---- an offload pool whose threads cannot be made

std::thread refuse(OffloadPool&) {
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
}

int threads_allowed = 0;
std::thread make_some(OffloadPool& pool) {
  if (threads_allowed-- <= 0) return refuse(pool);
  return OffloadPool::make_thread(pool);
}

struct CountedJob : OffloadJob {
  CountedJob() : OffloadJob(&CountedJob::on_thread, &CountedJob::on_loop) {}
  static void on_thread(OffloadJob& job) noexcept {
    static_cast<CountedJob&>(job).thread = std::this_thread::get_id();
  }
  static void on_loop(PostNode& node) noexcept {
    CountedJob& self = static_cast<CountedJob&>(static_cast<OffloadJob&>(node));
    if (++*self.done == self.limit) self.all->set();
  }
  std::thread::id thread;
  int* done = nullptr;
  int limit = 0;
  Event* all = nullptr;
};

Co<absl::Status> submit_all(OffloadPool& pool, std::vector<CountedJob>& jobs) {
  int done = 0;
  Event all;
  for (CountedJob& job : jobs) {
    job.done = &done;
    job.limit = static_cast<int>(jobs.size());
    job.all = &all;
    pool.submit(job);
  }
  co_await all.wait();
  co_return absl::OkStatus();
}

TEST_P(Offloading, RunsOnTheLoopsThreadWhenNoThreadCanBeMade) {
  const std::unique_ptr<KernelLoop> loop = make();
  OffloadPool pool(*loop, 4, &refuse);
  std::vector<CountedJob> jobs(10);
  EXPECT_EQ(loop->run(submit_all, pool, jobs), absl::OkStatus());
  for (const CountedJob& job : jobs) EXPECT_EQ(job.thread, std::this_thread::get_id());
  EXPECT_EQ(pool.inline_calls(), 10u);
}

TEST_P(Offloading, DoesWithTheThreadsThatCanBeMade) {
  const std::unique_ptr<KernelLoop> loop = make();
  threads_allowed = 1;
  OffloadPool pool(*loop, 4, &make_some);
  std::vector<CountedJob> jobs(100);
  EXPECT_EQ(loop->run(submit_all, pool, jobs), absl::OkStatus());
  for (const CountedJob& job : jobs) {
    EXPECT_EQ(job.thread, jobs[0].thread);
    EXPECT_NE(job.thread, std::this_thread::get_id());
  }
  EXPECT_EQ(pool.inline_calls(), 0u);
}

// Calls begin, are withdrawn before they begin or while they run, and end, in any order: each ends
// exactly once, and none that was withdrawn in time begins.
TEST_P(Offloading, SurvivesCancellationsAtAnyMoment) {
  const std::unique_ptr<KernelLoop> loop = make(2);
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    for (int round = 0; round < 200; ++round) {
      co_await Try(with_group(
          [](TaskGroup& group, int round) -> Co<absl::Status> {
            std::vector<Task<void>> tasks;
            for (int i = 0; i < 6; ++i) {
              tasks.push_back(group.spawn([]() -> Co<void> {
                Counted counted;
                int one = co_await offload([] { return 1; });
                EXPECT_EQ(one, 1);
              }));
            }
            for (int i = 0; i < round % 7; ++i) co_await yield_now();
            for (std::size_t i = 0; i < tasks.size(); i += 1 + round % 3) tasks[i].cancel();
            co_return absl::OkStatus();
          },
          round));
      EXPECT_EQ(Counted::live, 0);
    }
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
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

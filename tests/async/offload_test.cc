// offload() on the loops that wait in the kernel: calls on other threads.
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

using Offloading = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(Offloading);

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

}  // namespace
}  // namespace fermata

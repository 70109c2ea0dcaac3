// run() on the loops that wait in the kernel.
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

using Running = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(Running);

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

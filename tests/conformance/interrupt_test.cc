// asyncio's test_runners.py: Ctrl-C. Row 65. On the real loop, with real signals: where asyncio
// raises KeyboardInterrupt out of run(), run_until_signal gives the status of a cancelled main.
#include <signal.h>

#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/process/run_until_signal.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<void> interrupt_soon(int after) {
  for (int i = 0; i < after; ++i) co_await yield_now();
  raise(SIGINT);
}

// Spawns, beside `body`, the task that interrupts.
template <class Body>
Co<absl::Status> interrupted(Body body, std::string* log) {
  co_return co_await with_group(
      [](TaskGroup& group, Body body, std::string* log) -> Co<absl::Status> {
        group.spawn(&interrupt_soon, 3);
        co_return co_await body(log);
      },
      body, log);
}

using Main = Co<absl::Status> (*)(std::string*);

absl::Status run_interrupted(Main main, std::string* log) {
  const absl::Status status = run_until_signal(&interrupted<Main>, main, log);
  EXPECT_EQ(Counted::live, 0);
  return status;
}

// test_interrupt_wait: main waits for a future that nobody will set.
TEST(AsyncioRunners, InterruptWait) {
  std::string log;
  const absl::Status status = run_interrupted(
      [](std::string* log) -> Co<absl::Status> {
        Counted counted;
        Leaves leaves(*log, "main");
        Promise<int> never;
        absl::StatusOr<int> value = co_await never.future();
        *log += "woke ";
        co_return value.status();
      },
      &log);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_EQ(log, "main ");
}

// test_interrupt_call_soon: main never waits for anything but its turn.
TEST(AsyncioRunners, InterruptCallSoon) {
  std::string log;
  const absl::Status status = run_interrupted(
      [](std::string* log) -> Co<absl::Status> {
        Leaves leaves(*log, "main");
        for (;;) co_await yield_now();
      },
      &log);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_EQ(log, "main ");
}

// test_interrupt_cancelled_task: what was cancelled already is not cancelled for another reason,
// and an error of its clean-up is told instead.
TEST(AsyncioRunners, InterruptCancelledTask) {
  std::string log;
  const absl::Status status = run_interrupted(
      [](std::string* log) -> Co<absl::Status> {
        CancelScope scope(now());
        Outcome<void> own = co_await scope.run(sleep(absl::Hours(1)));
        *log += to_string(own.reason());
        CancelScope waits;
        Outcome<void> outcome = co_await waits.run(sleep(absl::Hours(1)));
        EXPECT_EQ(outcome.reason(), CancelReason::kRequested);
        co_return absl::DataLossError("clean-up failed");
      },
      &log);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(log, "deadline exceeded");
}

}  // namespace
}  // namespace fermata

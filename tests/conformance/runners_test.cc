// asyncio's test_runners.py: what run() does with what main leaves behind. Row 65. SIGINT is in
// interrupt_test.cc.
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

TaskGroup& root() { return static_cast<SimLoop&>(Loop::current()).root(); }

// Runs main on every seed; each must end with `expected`, and leave nothing.
template <class F>
void runs_to(absl::StatusCode expected, F main) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const absl::Status status = run_once(seed, main);
    EXPECT_EQ(status.code(), expected) << status << ", seed " << seed;
  }
}

// Row 65 (same).
TEST(AsyncioRunners, AsyncioRunCancelsHangingTasks) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Task<void> leftover;
    CancelReason reason = CancelReason::kNone;
    const std::int64_t before = frame_pool_stats().live;
    {
      SimLoop loop(seed);
      const absl::Status status = loop.run(
          [](Task<void>* leftover) -> Co<absl::Status> {
            *leftover = root().spawn([]() -> Co<void> {
              Counted counted;
              co_await sleep(absl::Milliseconds(100));
              ADD_FAILURE() << "it was not cancelled";
            });
            co_await yield_now();
            co_return absl::OkStatus();
          },
          &leftover);
      EXPECT_EQ(status, absl::OkStatus());
      ASSERT_TRUE(leftover.done());
      reason = leftover.outcome().reason();
      leftover = Task<void>();
    }
    EXPECT_EQ(reason, CancelReason::kShutdown);
    EXPECT_EQ(frame_pool_stats().live, before);
  }
}

// Row 65 (same). asyncio has an exception handler to call; here run() returns the error.
TEST(AsyncioRunners, AsyncioRunReportsHangingTasksErrors) {
  runs_to(absl::StatusCode::kDataLoss, []() -> Co<absl::Status> {
    root().spawn(&lingers_and_fails, absl::Seconds(1), absl::StatusCode::kDataLoss);
    co_await settle();
    co_return absl::OkStatus();
  });
}

TEST(AsyncioRunners, TheErrorOfMainIsNotHiddenByThatOfALeftover) {
  runs_to(absl::StatusCode::kAborted, []() -> Co<absl::Status> {
    root().spawn(&lingers_and_fails, absl::Seconds(1), absl::StatusCode::kDataLoss);
    co_await settle();
    co_return absl::AbortedError("main");
  });
}

TEST(AsyncioRunners, LeftoversOfLeftoversAreWaitedForToo) {
  static int cleaned_up;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    cleaned_up = 0;
    const absl::Status status = run_once(seed, []() -> Co<absl::Status> {
      root().spawn([]() -> Co<absl::Status> {
        co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
          group.spawn(&lingers, absl::Hours(1), &cleaned_up);
          co_await sleep_an_hour();
          co_return absl::InternalError("went on");
        });
      });
      co_await settle();
      co_return absl::OkStatus();
    });
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(cleaned_up, 1);
  }
}

// Nothing starts once main has ended; a leftover that spawns is told so.
TEST(AsyncioRunners, NothingStartsDuringShutdown) {
  runs_to(absl::StatusCode::kOk, []() -> Co<absl::Status> {
    root().spawn([]() -> Co<void> {
      CancelScope scope;
      Outcome<void> outcome = co_await scope.run(sleep_an_hour());
      Task<void> late = root().spawn([]() -> Co<void> {
        ADD_FAILURE() << "started";
        co_return;
      });
      EXPECT_TRUE(late.done());
      EXPECT_EQ(late.outcome().reason(), CancelReason::kShutdown);
    });
    co_await settle();
    co_return absl::OkStatus();
  });
}

// asyncio's test_run, _run_return, _raises: the status of main, and an exception as kInternal.
TEST(AsyncioRunners, Run) {
  runs_to(absl::StatusCode::kNotFound,
          []() -> Co<absl::Status> { co_return absl::NotFoundError("why"); });
  runs_to(absl::StatusCode::kInternal, []() -> Co<absl::Status> {
    co_await yield_now();
    throw 42;
  });
}

TEST(AsyncioRunnersDeathTest, RecursiveRun) {
  EXPECT_DEATH((void)run_once(
                   0,
                   []() -> Co<absl::Status> {
                     co_return static_cast<SimLoop&>(Loop::current()).run([]() -> Co<absl::Status> {
                       co_return absl::OkStatus();
                     });
                   }),
               "run\\(\\) inside run\\(\\)");
}

}  // namespace
}  // namespace fermata

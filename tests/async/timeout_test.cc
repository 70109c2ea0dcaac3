#include "services/async/timeout.h"

#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<int> after(absl::Duration delay, int value) {
  Counted counted;
  co_await sleep(delay);
  co_return value;
}

TEST(Timeout, GivesTheResultOrDeadlineExceeded) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::StatusOr<int> in_time = co_await timeout(absl::Seconds(2), after(absl::Seconds(1), 5));
    EXPECT_EQ(*in_time, 5);
    absl::Time start = now();
    absl::StatusOr<int> late = co_await timeout(absl::Seconds(2), after(absl::Seconds(3), 5));
    EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(now() - start, absl::Seconds(2));
    co_return absl::OkStatus();
  });
}

TEST(Timeout, LeavesNoTimerBehind) {
  on_every_seed([]() -> Co<absl::Status> {
    for (int i = 0; i < 100; ++i) {
      absl::StatusOr<int> value = co_await timeout(absl::Hours(1), after(absl::Milliseconds(1), i));
      EXPECT_EQ(*value, i);
    }
    EXPECT_EQ(Loop::current().stats().timers, 0u);
    co_return absl::OkStatus();
  });
}

// test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started
TEST(Timeout, OfZeroNeverStartsTheBody) {
  on_every_seed([]() -> Co<absl::Status> {
    bool entered = false;
    bool* flag = &entered;
    absl::StatusOr<int> zero = co_await timeout(absl::ZeroDuration(), [](bool* flag) -> Co<int> {
      *flag = true;
      co_return 1;
    }(flag));
    EXPECT_EQ(zero.status().code(), absl::StatusCode::kDeadlineExceeded);
    absl::StatusOr<int> past =
        co_await timeout_at(now() - absl::Seconds(1), [](bool* flag) -> Co<int> {
          *flag = true;
          co_return 1;
        }(flag));
    EXPECT_EQ(past.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_FALSE(entered);
    co_return absl::OkStatus();
  });
}

// test_wait_for_race_condition: completed in the turn in which the deadline falls.
TEST(Timeout, AResultThatIsThereAtTheDeadlineWins) {
  on_every_seed([]() -> Co<absl::Status> {
    // The sleep is armed after the timeout, so at the same instant the timeout fires first.
    absl::StatusOr<int> tie = co_await timeout(absl::Seconds(1), after(absl::Seconds(1), 5));
    EXPECT_TRUE(tie.ok()) << "the sleeper was woken before the cancellation was delivered";
    co_return absl::OkStatus();
  });
}

// test_wait_for_waits_for_task_cancellation
TEST(Timeout, ReturnsOnlyAfterTheCleanUpOfTheBody) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    bool cleaned = false;
    bool* flag = &cleaned;
    absl::Status late = co_await timeout(absl::Seconds(1), [](bool* flag) -> Co<absl::Status> {
      CancelScope scope;
      Outcome<void> outcome = co_await scope.run(sleep(absl::Hours(1)));
      co_await shield(sleep(absl::Seconds(4)));
      *flag = true;
      co_await yield_now();
      co_return absl::OkStatus();
    }(flag));
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(now() - start, absl::Seconds(5));
    co_return absl::OkStatus();
  });
}

// test_wait_for_reraises_exception_during_cancellation, test_wait_for_cancellation_race_condition
TEST(Timeout, WhatTheCleanUpReturnsReplacesTheTimeout) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Status error = co_await timeout(absl::Seconds(1), []() -> Co<absl::Status> {
      CancelScope scope;
      Outcome<void> outcome = co_await scope.run(sleep(absl::Hours(1)));
      co_return absl::DataLossError("half written");
    }());
    EXPECT_EQ(error, absl::DataLossError("half written"));
    absl::StatusOr<int> value = co_await timeout(absl::Seconds(1), []() -> Co<int> {
      CancelScope scope;
      Outcome<void> outcome = co_await scope.run(sleep(absl::Hours(1)));
      co_return 1;
    }());
    EXPECT_EQ(*value, 1);
    co_return absl::OkStatus();
  });
}

// test_wait_for_self_cancellation
TEST(Timeout, StaysCancellableWhileAStubbornBodyLingers) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    CancelScope scope(start + absl::Seconds(2));
    Outcome<int> outcome =
        co_await scope.run(timeout(absl::Seconds(1), shield(after(absl::Seconds(5), 1))));
    EXPECT_EQ(now() - start, absl::Seconds(5)) << "nobody is destroyed while a child lives";
    co_return absl::OkStatus();
  });
}

// test_nested_timeouts
TEST(Timeout, OfNestedEqualDeadlinesTheOutermostReports) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    std::string* out = &log;
    absl::Time deadline = now() + absl::Seconds(1);
    absl::Status outer = co_await timeout_at(
        deadline, [](absl::Time deadline, std::string* out) -> Co<absl::Status> {
          absl::Status inner = co_await timeout_at(deadline, sleep(absl::Hours(1)));
          *out = inner.ToString();
          co_return inner;
        }(deadline, out));
    EXPECT_EQ(outer.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(log, "") << "the inner one reported";
    co_return absl::OkStatus();
  });
}

// test_foreign_cancel_doesnt_timeout_if_not_expired
TEST(Timeout, ACancelFromOutsideIsACancel) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope(now() + absl::Seconds(1));
    Outcome<void> outcome = co_await scope.run([]() -> Co<absl::Status> {
      absl::Status status = co_await timeout(absl::Seconds(10), sleep(absl::Hours(1)));
      co_return absl::InternalError("the timeout reported");
    }());
    EXPECT_TRUE(outcome.cancelled());
    co_return absl::OkStatus();
  });
}

TEST(Timeout, AnInfiniteOneIsNone) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::StatusOr<int> value =
        co_await timeout(absl::InfiniteDuration(), after(absl::Hours(9), 2));
    EXPECT_EQ(*value, 2);
    absl::StatusOr<int> other =
        co_await timeout_at(absl::InfiniteFuture(), after(absl::Hours(9), 3));
    EXPECT_EQ(*other, 3);
    co_return absl::OkStatus();
  });
}

TEST(Timeout, KeepsTheStatusOfTheBody) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::StatusOr<int> failed = co_await timeout(
        absl::Seconds(1),
        []() -> Co<absl::StatusOr<int>> { co_return absl::NotFoundError("no"); }());
    EXPECT_EQ(failed.status(), absl::NotFoundError("no"));
    co_return absl::OkStatus();
  });
}

// ---- sleep

Co<absl::Status> sleep_and_log(int i, std::string* log) {
  co_await sleep(absl::Seconds(i));
  *log += std::to_string(i);
  co_return absl::OkStatus();
}

TEST(Sleep, WakesInTheOrderOfDeadlines) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    co_await Try(with_group(
        [](TaskGroup& group, std::string& log) -> Co<absl::Status> {
          for (int i : {5, 1, 4, 2, 3}) group.spawn(sleep_and_log, i, &log);
          co_return absl::OkStatus();
        },
        log));
    EXPECT_EQ(log, "12345");
    co_return absl::OkStatus();
  });
}

TEST(Sleep, ZeroLetsTheOthersRun) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       std::string log;
                       co_await Try(with_group(
                           [](TaskGroup& group, std::string& log) -> Co<absl::Status> {
                             group.spawn(
                                 [](std::string* log) -> Co<void> {
                                   *log += "child ";
                                   co_return;
                                 },
                                 &log);
                             co_await sleep(absl::ZeroDuration());
                             log += "body ";
                             co_return absl::OkStatus();
                           },
                           log));
                       EXPECT_EQ(log, "child body ");
                       co_return absl::OkStatus();
                     }),
            absl::OkStatus());
}

TEST(Sleep, UntilATimeThatHasPassedReturns) {
  on_every_seed([]() -> Co<absl::Status> {
    co_await sleep_until(now() - absl::Hours(1));
    co_await sleep_until(absl::InfinitePast());
    absl::Time start = now();
    co_await sleep_until(start + absl::Seconds(3));
    EXPECT_EQ(now(), start + absl::Seconds(3));
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

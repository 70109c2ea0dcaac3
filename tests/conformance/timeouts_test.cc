// asyncio's test_timeouts.py. Rows 31 to 36.
#include <stdexcept>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// Row 31 (same). Of two timeouts that are due together the outer one reports, and both expired.
TEST(AsyncioTimeouts, NestedTimeouts) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    std::string log;
    const absl::Time deadline = now() + absl::Seconds(1);
    absl::Status status = co_await timeout_at(
        deadline, [](absl::Time deadline, std::string* log) -> Co<absl::Status> {
          Leaves leaves(*log, "destroyed");
          absl::Status inner = co_await timeout_at(deadline, sleep(absl::Seconds(10)));
          *log += "the inner one reported";
          co_return inner;
        }(deadline, &log));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(log, "destroyed ");

    const absl::Time again = now() + absl::Seconds(1);
    CancelScope outer(again);
    CancelScope inner(again);
    Outcome<void> outcome = co_await outer.run([](CancelScope* inner) -> Co<void> {
      Outcome<void> outcome = co_await inner->run(sleep(absl::Seconds(10)));
      EXPECT_TRUE(outcome.cancelled());
      co_await yield_now();
      ADD_FAILURE() << "the outer scope let it go on";
    }(&inner));
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    EXPECT_EQ(outer.reason(), CancelReason::kDeadline);
    EXPECT_EQ(inner.reason(), CancelReason::kDeadline) << "expired as well";
    co_return absl::OkStatus();
  });
}

// Keeps the loop's thread busy until its clock has passed `until`.
void busy_until(absl::Time until) {
  while (absl::Now() < until) {
  }
}

// Row 32 (same), on the real loop: only there can a step take time. Both deadlines pass while one
// step runs. The timers fire late and together, and the outer one must still get through.
TEST(AsyncioTimeouts, NestedTimeoutsLoopBusy) {
  EpollLoop loop;
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    absl::Status status = co_await timeout(absl::Milliseconds(2), []() -> Co<absl::Status> {
      absl::Status inner = co_await timeout(absl::Milliseconds(1), []() -> Co<void> {
        busy_until(absl::Now() + absl::Milliseconds(4));
        co_await sleep(absl::Hours(1));
      }());
      co_await sleep(absl::Hours(1));
      co_return absl::InternalError("slept for an hour");
    }());
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST(AsyncioTimeouts, NestedTimeoutsConcurrent) {
  EpollLoop loop;
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    absl::Status status = co_await timeout(absl::Milliseconds(1), []() -> Co<absl::Status> {
      absl::Status inner = co_await timeout(absl::Hours(1), []() -> Co<void> {
        busy_until(absl::Now() + absl::Milliseconds(3));
        co_await sleep(absl::Hours(1));
      }());
      co_return absl::InternalError("the inner one reported");
    }());
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

// Row 33 (same).
TEST(AsyncioTimeouts, ForeignCancelDoesntTimeoutIfNotExpired) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<void> task;
    task = group.spawn(
        [](Task<void>* self) -> Co<void> {
          absl::Status status =
              co_await timeout(absl::Seconds(10), [](Task<void>* self) -> Co<void> {
                self->cancel();
                co_await sleep(absl::Seconds(10));
              }(self));
          ADD_FAILURE() << "the cancel was reported as " << status;
        },
        &task);
    const absl::Time start = now();
    Outcome<void> outcome = co_await task;
    EXPECT_EQ(outcome.reason(), CancelReason::kRequested);
    EXPECT_EQ(now(), start);
    co_return absl::OkStatus();
  });
}

TEST(AsyncioTimeouts, OuterTaskIsNotCancelled) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<void> task = group.spawn([]() -> Co<void> {
      absl::Status status = co_await timeout(absl::Milliseconds(1), sleep(absl::Seconds(10)));
      EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    });
    Outcome<void> outcome = co_await task;
    EXPECT_TRUE(outcome.ok());
    co_return absl::OkStatus();
  });
}

// Row 34 (adapted): what goes wrong while a timeout unwinds is a value, or an exception thrown
// after the catch point; either wins over the timeout. A destructor may not throw, as everywhere in
// C++.
TEST(AsyncioTimeouts, ForeignExceptionOnTimeout) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status value = co_await timeout(
        absl::Seconds(1), lingers_and_fails(absl::ZeroDuration(), absl::StatusCode::kOutOfRange));
    EXPECT_EQ(value.code(), absl::StatusCode::kOutOfRange);
    absl::Status thrown = co_await timeout(absl::Seconds(1), []() -> Co<void> {
      CancelScope scope;
      Outcome<void> outcome = co_await scope.run(sleep_an_hour());
      throw std::runtime_error("division by zero");
    }());
    EXPECT_EQ(thrown.code(), absl::StatusCode::kInternal);
    EXPECT_NE(thrown.message().find("division by zero"), std::string::npos) << thrown;
    co_return absl::OkStatus();
  });
}

TEST(AsyncioTimeouts, ForeignExceptionPassed) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await timeout(
        absl::Milliseconds(10), fail_after(absl::ZeroDuration(), absl::StatusCode::kNotFound));
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(Loop::current().stats().timers, 0u);
    co_return absl::OkStatus();
  });
}

// Row 35 (adapted). In asyncio the block is entered and its first await fails. A body is a call
// here, and a call that is too late is not made; a scope that is running already is cut at its
// first suspension, which is asyncio's case.
TEST(AsyncioTimeouts, TimeoutZeroSleepZero) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status zero = co_await timeout(absl::ZeroDuration(), sleep(absl::ZeroDuration()));
    EXPECT_EQ(zero.code(), absl::StatusCode::kDeadlineExceeded);
    std::string log;
    CancelScope scope;
    Outcome<void> outcome =
        co_await scope.run([](CancelScope* scope, std::string* log) -> Co<void> {
          scope->set_deadline(now());
          *log += "entered";
          co_await sleep(absl::ZeroDuration());
          *log += ", went on";
        }(&scope, &log));
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    EXPECT_EQ(log, "entered");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioTimeouts, TimeoutInThePastSleepZero) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status past = co_await timeout(-absl::Seconds(11), sleep(absl::ZeroDuration()));
    EXPECT_EQ(past.code(), absl::StatusCode::kDeadlineExceeded);
    past = co_await timeout_at(absl::InfinitePast(), yield_now());
    EXPECT_EQ(past.code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

// Row 36 (same).
TEST(AsyncioTimeouts, Reschedule) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    const absl::Time first = now() + absl::Seconds(10);
    const absl::Time second = first + absl::Seconds(20);
    CancelScope scope(first);
    Task<void> task = group.spawn(
        [](CancelScope* scope) -> Co<void> {
          Outcome<void> outcome = co_await scope->run(sleep(absl::Seconds(50)));
          EXPECT_EQ(outcome.reason(), CancelReason::kRequested);
          co_await yield_now();
        },
        &scope);
    co_await settle();
    EXPECT_EQ(scope.deadline(), first);
    scope.set_deadline(second);
    EXPECT_EQ(scope.deadline(), second);
    co_await sleep(absl::Seconds(15));
    EXPECT_FALSE(scope.cancelled()) << "the first deadline is off";
    scope.set_deadline(absl::InfiniteFuture());
    co_await sleep(absl::Seconds(20));
    EXPECT_FALSE(scope.cancelled()) << "and so is the second";
    task.cancel();
    Outcome<void> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_FALSE(scope.cancelled()) << "cancelled from around it, not expired";
    // Earlier than before, from outside, while it waits.
    CancelScope sooner(now() + absl::Hours(1));
    const absl::Time start = now();
    group.spawn(
        [](CancelScope* sooner) -> Co<void> {
          co_await sleep(absl::Seconds(1));
          sooner->set_deadline(now() + absl::Seconds(1));
        },
        &sooner);
    Outcome<void> cut = co_await sooner.run(sleep(absl::Hours(2)));
    EXPECT_EQ(cut.reason(), CancelReason::kDeadline);
    EXPECT_EQ(now() - start, absl::Seconds(2));
    co_return absl::OkStatus();
  });
}

TEST(AsyncioTimeouts, TimeoutDisabled) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status relative = co_await timeout(absl::InfiniteDuration(), sleep(absl::Hours(1000)));
    EXPECT_TRUE(relative.ok());
    absl::Status absolute = co_await timeout_at(absl::InfiniteFuture(), sleep(absl::Hours(1000)));
    EXPECT_TRUE(absolute.ok());
    CancelScope scope;
    Outcome<void> outcome = co_await scope.run([]() -> Co<void> {
      absl::Time deadline = co_await current_deadline();
      EXPECT_EQ(deadline, absl::InfiniteFuture());
    }());
    EXPECT_TRUE(outcome.ok());
    EXPECT_EQ(scope.deadline(), absl::InfiniteFuture());
    co_return absl::OkStatus();
  });
}

// asyncio's test_nested_timeout_in_finally: clean-up after one timeout under another one.
TEST(AsyncioTimeouts, NestedTimeoutInFinally) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    const absl::Time start = now();
    absl::Status status = co_await timeout(absl::Seconds(1), []() -> Co<absl::Status> {
      CancelScope scope;
      Outcome<void> work = co_await scope.run(sleep(absl::Seconds(10)));
      EXPECT_TRUE(work.cancelled());
      absl::Status clean_up = co_await shield(timeout(absl::Seconds(1), sleep(absl::Seconds(10))));
      EXPECT_EQ(clean_up.code(), absl::StatusCode::kDeadlineExceeded);
      co_await yield_now();
      co_return absl::InternalError("the outer timeout was forgotten");
    }());
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(now() - start, absl::Seconds(2));
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

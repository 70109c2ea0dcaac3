// asyncio's gather tests (test_tasks.py): failures, cancellations, order. Rows 14 to 19.
#include <memory>
#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

Co<absl::StatusOr<int>> result_of(Future<int> future) { co_return co_await future; }

// A cancelled task is an error to whoever needs its value.
Co<absl::StatusOr<int>> value_of(Task<int> task) {
  Outcome<int> outcome = co_await task;
  co_return std::move(outcome).to_status_or();
}

Co<absl::StatusOr<int>> leaves_a_trace(std::string* log, std::string name) {
  Leaves leaves(*log, name);
  co_await sleep_an_hour();
  co_return 3;
}

// Row 14 (adapted): the first failure surfaces once. asyncio leaves the siblings running; here they
// are cancelled, and have ended when gather() returns, so nothing runs that nobody waits for.
TEST(AsyncioGather, OneException) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::string log;
    Promise<int> a;
    Promise<int> b;
    group.spawn(
        [](Promise<int>* a, Promise<int>* b) -> Co<void> {
          co_await settle();
          a->set_value(1);
          co_await settle();
          b->set_error(absl::OutOfRangeError("division by zero"));
        },
        &a, &b);
    absl::StatusOr<std::tuple<int, int, int, int>> all =
        co_await gather(result_of(a.future()), result_of(b.future()), leaves_a_trace(&log, "c"),
                        shield(leaves_a_trace(&log, "d")));
    EXPECT_EQ(all.status(), absl::OutOfRangeError("division by zero"));
    EXPECT_EQ(log, "c d ") << "c is cancelled, the shielded one waited for";
    co_return absl::OkStatus();
  });
}

// Row 14, two failures in one turn: the first is the result, the other is dropped, nothing leaks.
TEST(AsyncioGather, OneExceptionOfTwoInTheSameTurn) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    absl::StatusOr<std::tuple<int, int>> both =
        co_await gather(no_number_after(absl::Seconds(1), absl::StatusCode::kAborted),
                        no_number_after(absl::Seconds(1), absl::StatusCode::kDataLoss));
    EXPECT_TRUE(both.status().code() == absl::StatusCode::kAborted ||
                both.status().code() == absl::StatusCode::kDataLoss);
    EXPECT_EQ(both.status().message(), "as asked") << "one of them, not both in one message";
    co_return absl::OkStatus();
  });
}

// Row 15 (same).
TEST(AsyncioGather, ReturnExceptions) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Promise<int> a;
    Promise<int> b;
    Promise<int> c;
    Promise<int> d;
    bool settled = false;
    Task<void> gathering = group.spawn(
        [](Future<int> a, Future<int> b, Future<int> c, Future<int> d, bool* done) -> Co<void> {
          std::tuple<Outcome<int>, Outcome<int>, Outcome<int>, Outcome<int>> each =
              co_await gather_settled(result_of(a), result_of(b), result_of(c), result_of(d));
          *done = true;
          EXPECT_EQ(std::get<0>(each).value(), 3);
          EXPECT_EQ(std::get<1>(each).value(), 1);
          EXPECT_EQ(std::get<2>(each).status(), absl::OutOfRangeError("c"));
          EXPECT_EQ(std::get<3>(each).status(), absl::InternalError("d"));
        },
        a.future(), b.future(), c.future(), d.future(), &settled);
    b.set_value(1);
    c.set_error(absl::OutOfRangeError("c"));
    a.set_value(3);
    co_await settle();
    EXPECT_FALSE(settled);
    d.set_error(absl::InternalError("d"));
    co_await gathering;
    EXPECT_TRUE(settled);
    co_return absl::OkStatus();
  });
}

// Row 15 (same): values, errors and cancellations in the order of the arguments.
TEST(AsyncioGather, ResultExceptionOneCancellation) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> one = group.spawn(&value_after, absl::Seconds(2), 1);
    Task<int> two = group.spawn(&value_after, absl::Hours(1), 2);
    two.cancel(CancelReason::kOverload);
    Promise<int> three;
    three.set_error(absl::AbortedError("three"));
    std::tuple<Outcome<int>, Outcome<int>, Outcome<int>> each =
        co_await gather_settled(value_of(one), value_of(two), result_of(three.future()));
    EXPECT_EQ(std::get<0>(each).value(), 1);
    EXPECT_EQ(std::get<1>(each).status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(std::get<2>(each).status(), absl::AbortedError("three"));
    co_return absl::OkStatus();
  });
}

// Row 16 (same): a child that finds its task cancelled fails the gather, with the code of a
// cancellation; whoever awaits the gather is not cancelled.
TEST(AsyncioGather, OneCancellation) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::string log;
    Task<int> cancelled = group.spawn(&value_after, absl::Hours(1), 2);
    group.spawn(
        [](Task<int> task) -> Co<void> {
          co_await sleep(absl::Seconds(1));
          task.cancel();
        },
        cancelled);
    CancelScope scope;
    auto outcome = co_await scope.run(gather(value_of(cancelled), leaves_a_trace(&log, "sibling")));
    EXPECT_FALSE(outcome.cancelled());
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(log, "sibling ");
    co_await settle();
    co_return absl::OkStatus();
  });
}

// Row 17 (same).
TEST(AsyncioGather, CancellationBroadcast) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::string log;
    int cleaned_up = 0;
    Task<void> outer = group.spawn(
        [](std::string* log, int* cleaned_up) -> Co<void> {
          auto all = co_await gather(leaves_a_trace(log, "a"),
                                     gather(leaves_a_trace(log, "b"), leaves_a_trace(log, "c")),
                                     lingers(absl::Seconds(5), cleaned_up));
          ADD_FAILURE() << "the gather gave a result: " << all.status();
        },
        &log, &cleaned_up);
    co_await settle();
    outer.cancel();
    co_await sleep(absl::Seconds(1));
    EXPECT_EQ(log, "a b c ");
    EXPECT_FALSE(outer.done()) << "a child is still cleaning up";
    Outcome<void> outcome = co_await outer;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(cleaned_up, 1);
    co_return absl::OkStatus();
  });
}

// Row 18 (same): the last child is ready to run when the cancel arrives.
TEST(AsyncioGather, CancelGather1) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Promise<int> promise;
    Task<int> gathering = group.spawn(
        [](Future<int> future) -> Co<absl::StatusOr<int>> {
          std::tuple<int, int> both = co_await Try(gather(result_of(future), result_of(future)));
          co_return std::get<0>(both) + std::get<1>(both);
        },
        promise.future());
    co_await settle();
    promise.set_value(21);
    gathering.cancel();
    Outcome<int> outcome = co_await gathering;
    EXPECT_EQ(outcome.value(), 42);
    co_return absl::OkStatus();
  });
}

// asyncio's next one (bpo-26923): a task that does nothing but gather with return_exceptions, in a
// loop, is still cancelled. Here gather_settled reports the cancellation, and a suspension that is
// not a catch point ends the task.
TEST(AsyncioGather, CancelGather2) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int rounds = 0;
    Task<void> task = group.spawn(
        [](int* rounds) -> Co<void> {
          for (;;) {
            std::tuple<Outcome<void>> each = co_await gather_settled(sleep(absl::Milliseconds(50)));
            ++*rounds;
            co_await yield_now();
          }
        },
        &rounds);
    co_await sleep(absl::Milliseconds(225));
    task.cancel();
    Outcome<void> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(rounds, 5) << "four, and the one that was cut short";
    co_return absl::OkStatus();
  });
}

// Row 19 (same).
TEST(AsyncioGather, ConstructorEmptySequence) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    const std::uint64_t steps = Loop::current().stats().steps;
    absl::Status all = co_await gather();
    std::tuple<> each = co_await gather_settled();
    (void)each;
    EXPECT_EQ(Loop::current().stats().steps, steps) << "it does not even suspend";
    co_return all;
  });
}

// Values that cannot be copied go through, in order, whatever the order of their ends.
TEST(AsyncioGather, ConstructorHeterogenousFutures) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    using Box = std::unique_ptr<int>;
    using Boxed = Co<Box> (*)(absl::Duration, int);
    const Boxed boxed = [](absl::Duration delay, int value) -> Co<Box> {
      co_await sleep(delay);
      co_return std::make_unique<int>(value);
    };
    absl::StatusOr<std::tuple<Box, Box, int>> all = co_await gather(
        boxed(absl::Seconds(3), 1), boxed(absl::Seconds(1), 2), value_after(absl::Seconds(2), 3));
    EXPECT_EQ(*std::get<0>(*all), 1);
    EXPECT_EQ(*std::get<1>(*all), 2);
    EXPECT_EQ(std::get<2>(*all), 3);
    co_return absl::OkStatus();
  });
}

// Row 14, a failure in the clean-up of a sibling that was cancelled for the first: the first stays.
TEST(AsyncioGather, OneExceptionIsTheFirst) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status =
        co_await gather(lingers_and_fails(absl::Seconds(1), absl::StatusCode::kDataLoss),
                        fail_after(absl::Seconds(1), absl::StatusCode::kAborted),
                        lingers_and_fails(absl::ZeroDuration(), absl::StatusCode::kUnknown));
    EXPECT_EQ(status, absl::AbortedError("as asked"));
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

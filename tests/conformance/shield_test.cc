// asyncio's shield tests (test_tasks.py). Rows 20 to 22. asyncio's shield lets the outer side go at
// once and the inner work run on, unowned; ours makes the outer side wait for it.
#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

Co<void> proves(Event* waiter, int* proof) {
  co_await waiter->wait();
  co_await yield_now();
  ++*proof;
}

// Row 20 (adapted): the inner work goes on to its end. The outer side waits for it, since a task
// has one owner; the cancellation then acts at the next suspension and is not lost.
TEST(AsyncioShield, ShieldEffect) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int proof = 0;
    Event waiter;
    Task<void> outer = group.spawn(
        [](Event* waiter, int* proof) -> Co<void> {
          co_await shield(proves(waiter, proof));
          *proof += 10;
          co_await yield_now();
          *proof += 100;
        },
        &waiter, &proof);
    co_await settle();
    outer.cancel();
    co_await settle();
    EXPECT_FALSE(outer.done()) << "asyncio lets go here";
    waiter.set();
    Outcome<void> outcome = co_await outer;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(proof, 11);
    co_return absl::OkStatus();
  });
}

// Row 20 (adapted): cancelled again and again, and by a deadline around it, it still waits, and it
// leaves nobody waiting behind: what remains is the one scope it came from.
TEST(AsyncioShield, ShieldCancelOuter) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int proof = 0;
    Event waiter;
    CancelScope scope(now() + absl::Seconds(1));
    group.spawn(
        [](CancelScope* scope, Event* waiter) -> Co<void> {
          for (int i = 0; i < 5; ++i) {
            co_await sleep(absl::Seconds(1));
            scope->cancel();
          }
          waiter->set();
        },
        &scope, &waiter);
    const absl::Time start = now();
    Outcome<void> outcome = co_await scope.run(shield(proves(&waiter, &proof)));
    EXPECT_EQ(now() - start, absl::Seconds(5));
    EXPECT_TRUE(outcome.ok()) << "the result was there, and nothing suspended after it";
    EXPECT_EQ(scope.reason(), CancelReason::kDeadline);
    EXPECT_EQ(proof, 1);
    co_return absl::OkStatus();
  });
}

// Row 21 (same).
TEST(AsyncioShield, ShieldCancelInner) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    CancelScope inner;
    Task<int> task = group.spawn(&value_after, absl::Hours(1), 1);
    group.spawn(
        [](CancelScope* inner, Task<int> task) -> Co<void> {
          co_await sleep(absl::Seconds(1));
          inner->cancel(CancelReason::kOverload);
          task.cancel();
        },
        &inner, task);
    Outcome<void> scoped = co_await shield(inner.run(sleep_an_hour()));
    EXPECT_EQ(scoped.reason(), CancelReason::kOverload);
    Outcome<int> joined = co_await shield([](Task<int> task) -> Co<Outcome<int>> {
      Outcome<int> outcome = co_await task;
      co_return outcome;
    }(task));
    EXPECT_TRUE(joined.cancelled());
    absl::Status late = co_await shield(timeout(absl::Seconds(1), sleep_an_hour()));
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded) << "deadlines inside still act";
    co_return absl::OkStatus();
  });
}

TEST(AsyncioShield, ShieldShortcut) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Promise<int> promise;
    promise.set_value(42);
    absl::StatusOr<int> value = co_await shield(
        [](Future<int> f) -> Co<absl::StatusOr<int>> { co_return co_await f; }(promise.future()));
    EXPECT_EQ(*value, 42);
    co_return absl::OkStatus();
  });
}

// Row 22 (adapted): the parent of both nestings waits until the shielded work has ended. A shield
// around the gather keeps every child; the results are there for who asked.
TEST(AsyncioShield, ShieldGather) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int sum = 0;
    Task<void> outer = group.spawn(
        [](int* sum) -> Co<void> {
          absl::StatusOr<std::tuple<int, int>> parent = co_await shield(
              gather(number_after(absl::Seconds(2), 1), number_after(absl::Seconds(3), 2)));
          *sum = std::get<0>(*parent) + std::get<1>(*parent);
        },
        &sum);
    co_await sleep(absl::Seconds(1));
    outer.cancel();
    Outcome<void> outcome = co_await outer;
    EXPECT_EQ(sum, 3);
    EXPECT_TRUE(outcome.ok()) << "it ended without suspending again";
    co_return absl::OkStatus();
  });
}

// Row 22 (adapted): shields inside a gather keep their own child; the plain sibling is cancelled,
// so the gather has no result to give and the cancellation goes on outward.
TEST(AsyncioShield, GatherShield) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int proof = 0;
    Event waiter;
    std::string log;
    Task<void> outer = group.spawn(
        [](Event* waiter, int* proof, std::string* log) -> Co<void> {
          Leaves leaves(*log, "outer");
          absl::Status all = co_await gather(shield(proves(waiter, proof)),
                                             shield(proves(waiter, proof)), sleep_an_hour());
          ADD_FAILURE() << "the gather gave a result: " << all;
        },
        &waiter, &proof, &log);
    co_await settle();
    outer.cancel();
    co_await settle();
    EXPECT_EQ(log, "") << "nobody is destroyed while a child lives";
    waiter.set();
    Outcome<void> outcome = co_await outer;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(proof, 2);
    EXPECT_EQ(log, "outer ");
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

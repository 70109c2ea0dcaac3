// Locks on loan (loan.h): a cancelled Condition::wait() whose lock is held by somebody who can only
// go after it. asyncio and Trio wait there for ever.
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

struct Monitor {
  Lock lock;
  Condition changed{lock};
  int inside = 0;  // how many believe that they have the lock
  int cleaned_up = 0;
};

// Holds the lock for as long as it is alive, and knows whether it is alone.
class Inside {
 public:
  explicit Inside(Monitor* monitor) : monitor_(monitor) { EXPECT_EQ(++monitor->inside, 1); }
  Inside(const Inside&) = delete;
  ~Inside() { --monitor_->inside; }

 private:
  Monitor* monitor_;
};

Co<void> waits(Monitor* monitor) {
  Lock::Guard guard = co_await monitor->lock.acquire();
  co_await monitor->changed.wait();
}

// Catches the cancellation, and goes on to use what the lock guards, across suspensions.
Co<void> waits_and_cleans_up(Monitor* monitor) {
  Lock::Guard guard = co_await monitor->lock.acquire();
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(monitor->changed.wait());
  EXPECT_TRUE(monitor->lock.locked());
  const Inside alone(monitor);
  co_await shield(sleep(absl::Seconds(1)));
  ++monitor->cleaned_up;
}

template <Co<void> (*child)(Monitor*)>
Co<absl::Status> holds_the_lock(TaskGroup& group, Monitor* monitor) {
  group.spawn(child, monitor);
  group.spawn(child, monitor);
  co_await settle();
  Lock::Guard guard = co_await monitor->lock.acquire();
  co_await sleep_an_hour();
  co_return absl::OkStatus();
}

TEST(Loans, ABodyThatHoldsTheLockOfItsChildrensConditionCanBeCancelled) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    absl::Status status =
        co_await timeout(absl::Seconds(1), with_group(&holds_the_lock<&waits>, &monitor));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_FALSE(monitor.lock.locked());
    co_return absl::OkStatus();
  });
}

TEST(Loans, OneAtATimeHasTheLockOnLoan) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    absl::Status status = co_await timeout(
        absl::Seconds(1), with_group(&holds_the_lock<&waits_and_cleans_up>, &monitor));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(monitor.cleaned_up, 2);
    EXPECT_FALSE(monitor.lock.locked());
    co_return absl::OkStatus();
  });
}

// The child asks first; its group is cancelled when it has been waiting for the lock for a while.
TEST(Loans, AChildThatWasCancelledEarlierBorrowsWhenTheBodyStops) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    absl::Status status = co_await timeout(
        absl::Seconds(2), with_group(
                              [](TaskGroup& group, Monitor* monitor) -> Co<absl::Status> {
                                Task<void> child = group.spawn(&waits, monitor);
                                co_await settle();
                                Lock::Guard guard = co_await monitor->lock.acquire();
                                child.cancel();
                                co_await sleep(absl::Seconds(1));
                                EXPECT_FALSE(child.done()) << "the body may yet let go";
                                co_await sleep_an_hour();
                                co_return absl::OkStatus();
                              },
                              &monitor));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

// The body is parked where it cannot be left at once; from then on as above.
TEST(Loans, ABodyThatStopsLateLendsLate) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    absl::Time begin = now();
    absl::Status status = co_await timeout(
        absl::Seconds(1), with_group(
                              [](TaskGroup& group, Monitor* monitor) -> Co<absl::Status> {
                                group.spawn(&waits, monitor);
                                co_await settle();
                                Lock::Guard guard = co_await monitor->lock.acquire();
                                co_await shield(sleep(absl::Seconds(5)));
                                co_await sleep_an_hour();
                                co_return absl::OkStatus();
                              },
                              &monitor));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_GE(now() - begin, absl::Seconds(5));
    co_return absl::OkStatus();
  });
}

Co<absl::Status> waits_in_a_group(TaskGroup& group, Monitor* monitor, Event* has_begun) {
  group.spawn(&waits, monitor);
  co_await settle();
  has_begun->set();
  co_await sleep_an_hour();
  co_return absl::OkStatus();
}

// The holder is parked at the group of the waiter; its guard came through a timeout.
TEST(Loans, AHolderAroundTheWaiterLendsToo) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Monitor* monitor) -> Co<absl::Status> {
          group.spawn(&waits, monitor);
          co_await settle();
          Lock::Guard guard = co_await Try(timeout(absl::Seconds(1), monitor->lock.acquire()));
          absl::Status inner = co_await timeout(
              absl::Seconds(1), with_group(
                                    [](TaskGroup& group, Monitor* monitor) -> Co<absl::Status> {
                                      group.cancel();
                                      co_await sleep_an_hour();
                                      co_return absl::OkStatus();
                                    },
                                    monitor));
          EXPECT_TRUE(inner.ok()) << inner;
          group.cancel();
          co_await sleep_an_hour();
          co_return absl::OkStatus();
        },
        &monitor);
    EXPECT_TRUE(status.ok()) << status;
    Event has_begun;
    CancelScope scope;
    absl::Status nested = co_await with_group(
        [](TaskGroup& group, Monitor* monitor, Event* has_begun,
           CancelScope* scope) -> Co<absl::Status> {
          group.spawn(
              [](Monitor* monitor, Event* has_begun, CancelScope* scope) -> Co<absl::Status> {
                co_await has_begun->wait();
                scope->cancel();
                co_return absl::OkStatus();
              },
              monitor, has_begun, scope);
          Outcome<void> outcome =
              co_await scope->run(with_group(&waits_in_a_group, monitor, has_begun));
          EXPECT_TRUE(outcome.cancelled());
          co_return absl::OkStatus();
        },
        &monitor, &has_begun, &scope);
    EXPECT_TRUE(nested.ok()) << nested;
    EXPECT_FALSE(monitor.lock.locked());
    co_return absl::OkStatus();
  });
}

// The child has been notified, but the body took the lock first.
TEST(Loans, ANotifiedChildBorrowsAsWell) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    absl::Status status = co_await timeout(
        absl::Seconds(1), with_group(
                              [](TaskGroup& group, Monitor* monitor) -> Co<absl::Status> {
                                group.spawn(&waits_and_cleans_up, monitor);
                                co_await settle();
                                Lock::Guard guard = co_await monitor->lock.acquire();
                                monitor->changed.notify();
                                co_await sleep_an_hour();
                                co_return absl::OkStatus();
                              },
                              &monitor));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(monitor.cleaned_up, 1);
    co_return absl::OkStatus();
  });
}

Co<void> holds_for(Monitor* monitor, absl::Duration time) {
  Lock::Guard guard = co_await monitor->lock.acquire();
  const Inside alone(monitor);
  co_await sleep(time);
}

// Somebody else's lock is waited for.
TEST(Loans, AHolderThatGoesOnDoesNotLend) {
  in_group([](TaskGroup& outer) -> Co<absl::Status> {
    auto monitor = std::make_unique<Monitor>();
    Monitor* shared = monitor.get();
    Task<void> child = outer.spawn(&waits_and_cleans_up, shared);
    co_await settle();
    Task<void> holder = outer.spawn(&holds_for, shared, absl::Seconds(10));
    co_await settle();
    child.cancel();
    co_await sleep(absl::Seconds(5));
    EXPECT_EQ(monitor->inside, 1);
    EXPECT_FALSE(child.done());
    co_await holder;
    co_await child;
    EXPECT_EQ(monitor->cleaned_up, 1);
    co_return absl::OkStatus();
  });
}

TEST(Loans, CancelledAtEveryTurnNothingIsStuck) {
  const std::uint64_t points = cancel_at_every_turn(
      []() -> Co<absl::Status> {
        Monitor monitor;
        absl::Status status = co_await timeout(
            absl::Seconds(1), with_group(&holds_the_lock<&waits_and_cleans_up>, &monitor));
        EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
        EXPECT_FALSE(monitor.lock.locked());
        co_return absl::OkStatus();
      },
      [] {});
  EXPECT_GT(points, 60u);
}

}  // namespace
}  // namespace fermata

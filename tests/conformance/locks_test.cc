// asyncio's test_locks.py: Lock and Event. Rows 55, 56 and 60: who is next, and what a cancellation
// at the wrong moment may not do to that.
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// Holds the lock until the blocker is set.
Co<void> lock_it(Lock* lock, Event* blocker, std::string name, std::string* log) {
  Lock::Guard guard = co_await lock->acquire();
  *log += name;
  if (blocker != nullptr) co_await blocker->wait();
}

// Row 55, test_cancel_race (same): A holds; B and C wait. In one turn B is cancelled and A lets go.
TEST(AsyncioLocks, CancelRace) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Lock lock;
    Event blocker;
    std::string log;
    Task<void> a = group.spawn(&lock_it, &lock, &blocker, "A", &log);
    co_await settle();
    Task<void> b = group.spawn(&lock_it, &lock, nullptr, "B", &log);
    co_await settle();
    Task<void> c = group.spawn(&lock_it, &lock, nullptr, "C", &log);
    co_await settle();
    EXPECT_TRUE(lock.locked());
    blocker.set();  // wakes A, which releases in its own step
    b.cancel();     // delivered before any step
    Outcome<void> first = co_await a;
    Outcome<void> second = co_await b;
    Outcome<void> third = co_await c;
    EXPECT_TRUE(first.ok());
    EXPECT_TRUE(second.cancelled());
    EXPECT_TRUE(third.ok());
    EXPECT_EQ(log, "AC");
    EXPECT_FALSE(lock.locked());
    co_return absl::OkStatus();
  });
}

// Row 55, test_cancel_release_race (adapted): cancel and release in one step. asyncio has marked
// the waiter before the release; here the request acts when the step is over, and by then the first
// waiter has the lock. In both exactly one acquires, and the others come after it.
TEST(AsyncioLocks, CancelReleaseRace) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Lock lock;
    std::string log;
    Event hold;
    std::optional<Lock::Guard> mine = lock.try_acquire();
    Task<void> one = group.spawn(&lock_it, &lock, nullptr, "1", &log);
    co_await settle();
    Task<void> two = group.spawn(&lock_it, &lock, &hold, "2", &log);
    co_await settle();
    Task<void> three = group.spawn(&lock_it, &lock, nullptr, "3", &log);
    co_await settle();
    one.cancel();
    mine.reset();
    EXPECT_TRUE(lock.locked()) << "handed over, never free in between";
    EXPECT_FALSE(lock.try_acquire().has_value());
    Outcome<void> first = co_await one;
    EXPECT_TRUE(first.ok());
    co_await settle();
    EXPECT_EQ(log, "12") << "one lock, one holder";
    three.cancel();
    Outcome<void> third = co_await three;
    EXPECT_TRUE(third.cancelled());
    hold.set();
    co_await two;
    EXPECT_FALSE(lock.locked());
    co_return absl::OkStatus();
  });
}

// Row 56 (same): the waiter that was handed the lock is cancelled before it runs.
TEST(AsyncioLocks, FinishedWaiterCancelled) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Lock lock;
    std::string log;
    Event never;
    std::optional<Lock::Guard> mine = lock.try_acquire();
    Task<void> b = group.spawn(&lock_it, &lock, &never, "B", &log);
    co_await settle();
    Task<void> c = group.spawn(&lock_it, &lock, nullptr, "C", &log);
    co_await settle();
    mine.reset();
    b.cancel();
    Outcome<void> cancelled = co_await b;
    EXPECT_TRUE(cancelled.cancelled()) << "at its first suspension with the lock";
    Outcome<void> second = co_await c;
    EXPECT_TRUE(second.ok());
    EXPECT_EQ(log, "BC") << "and the lock went on to the next";
    EXPECT_FALSE(lock.locked());
    co_return absl::OkStatus();
  });
}

// asyncio's test_acquire_cancel, from the place of each of three waiters.
TEST(AsyncioLocks, AcquireCancel) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    for (int cancelled = 0; cancelled < 3; ++cancelled) {
      Lock lock;
      std::string log;
      std::optional<Lock::Guard> mine = lock.try_acquire();
      Task<void> waiters[3];
      for (int i = 0; i < 3; ++i) {
        waiters[i] = group.spawn(&lock_it, &lock, nullptr, std::to_string(i), &log);
        co_await settle();
      }
      waiters[cancelled].cancel();
      Outcome<void> outcome = co_await waiters[cancelled];
      EXPECT_TRUE(outcome.cancelled());
      EXPECT_TRUE(lock.locked()) << "it was not the waiter's to give";
      mine.reset();
      for (const Task<void>& waiter : waiters) co_await waiter;
      std::string rest = "012";
      rest.erase(static_cast<std::size_t>(cancelled), 1);
      EXPECT_EQ(log, rest);
      EXPECT_FALSE(lock.locked());
    }
    co_return absl::OkStatus();
  });
}

Co<void> wait_on(Event* event, int* woken) {
  co_await event->wait();
  ++*woken;
}

// Row 60 (same).
TEST(AsyncioLocks, EventClearWithWaiters) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Event event;
    int woken = 0;
    Task<void> before = group.spawn(&wait_on, &event, &woken);
    co_await settle();
    event.set();
    event.clear();
    EXPECT_FALSE(event.is_set());
    Task<void> after = group.spawn(&wait_on, &event, &woken);
    co_await settle();
    EXPECT_TRUE(before.done());
    EXPECT_FALSE(after.done()) << "it came after the clear";
    EXPECT_EQ(woken, 1);
    event.set();
    event.set();
    co_await after;
    co_await event.wait();
    EXPECT_EQ(woken, 2);
    co_return absl::OkStatus();
  });
}

// asyncio's test_wait_cancel, and one more: a set() after the cancel wakes only who still waits.
TEST(AsyncioLocks, EventWaitCancel) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Event event;
    int woken = 0;
    Task<void> one = group.spawn(&wait_on, &event, &woken);
    Task<void> two = group.spawn(&wait_on, &event, &woken);
    co_await settle();
    one.cancel();
    Outcome<void> outcome = co_await one;
    EXPECT_TRUE(outcome.cancelled());
    event.set();
    co_await two;
    EXPECT_EQ(woken, 1);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

// asyncio's test_locks.py: Condition. Row 59: the lock is held whenever wait() has ended.
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

struct Monitor {
  Lock lock;
  Condition changed{lock};
};

// Row 59 (same): notified, then cancelled, while somebody else has the lock.
TEST(AsyncioConditions, WaitCancelContested) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Monitor monitor;
    std::string log;
    Task<void> waiter = group.spawn(
        [](Monitor* monitor, std::string* log) -> Co<void> {
          Lock::Guard guard = co_await monitor->lock.acquire();
          co_await monitor->changed.wait();
          EXPECT_TRUE(monitor->lock.locked());
          *log += "woken";
          co_await yield_now();
          *log += ", went on";
        },
        &monitor, &log);
    co_await settle();
    EXPECT_FALSE(monitor.lock.locked()) << "wait() gives the lock up";
    std::optional<Lock::Guard> contest = monitor.lock.try_acquire();
    monitor.changed.notify();
    waiter.cancel();
    co_await settle();
    EXPECT_FALSE(waiter.done()) << "it must have the lock back first";
    contest.reset();
    Outcome<void> outcome = co_await waiter;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_TRUE(log == "woken" || log == "") << log;
    EXPECT_FALSE(monitor.lock.locked());
    co_return absl::OkStatus();
  });
}

// Row 59, bpo-32841 (same): a waiter that waits for the lock can be cancelled; its guard is true
// until it is destroyed.
TEST(AsyncioConditions, WaitCancelAfterNotify) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Monitor monitor;
    int notified = 0;
    using Waiter = Co<void> (*)(Monitor*, int*);
    const Waiter wait = [](Monitor* monitor, int* notified) -> Co<void> {
      Lock::Guard guard = co_await monitor->lock.acquire();
      co_await monitor->changed.wait();
      ++*notified;
    };
    Task<void> one = group.spawn(wait, &monitor, &notified);
    co_await settle();
    Task<void> two = group.spawn(wait, &monitor, &notified);
    co_await settle();
    std::optional<Lock::Guard> mine = monitor.lock.try_acquire();
    one.cancel();  // before any notify: it takes the lock back, and no notification with it
    co_await settle();
    EXPECT_FALSE(one.done());
    monitor.changed.notify();
    mine.reset();
    Outcome<void> first = co_await one;
    EXPECT_TRUE(first.cancelled());
    Outcome<void> second = co_await two;
    EXPECT_TRUE(second.ok()) << "the notification was lost with the one that was cancelled";
    EXPECT_EQ(notified, 1);
    EXPECT_FALSE(monitor.lock.locked());
    co_return absl::OkStatus();
  });
}

// Row 59 (same).
TEST(AsyncioConditions, TimeoutInBlock) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    Lock::Guard guard = co_await monitor.lock.acquire();
    absl::Status status = co_await timeout(absl::Milliseconds(500), monitor.changed.wait());
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(monitor.lock.locked()) << "the block ends with the lock held";
    guard.unlock();
    EXPECT_FALSE(monitor.lock.locked());
    co_return absl::OkStatus();
  });
}

// asyncio's test_notify and test_notify_all: as many as asked, the longest waiting first.
TEST(AsyncioConditions, Notify) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Monitor monitor;
    std::string order;
    for (char name : {'1', '2', '3', '4', '5'}) {
      group.spawn(
          [](Monitor* monitor, char name, std::string* order) -> Co<void> {
            Lock::Guard guard = co_await monitor->lock.acquire();
            co_await monitor->changed.wait();
            *order += name;
          },
          &monitor, name, &order);
      co_await settle();
    }
    EXPECT_EQ(order, "");
    using Notify = Co<void> (*)(Monitor*, std::size_t);
    const Notify notify = [](Monitor* monitor, std::size_t count) -> Co<void> {
      Lock::Guard guard = co_await monitor->lock.acquire();
      if (count == 0) monitor->changed.notify_all();
      monitor->changed.notify(count);
    };
    co_await notify(&monitor, 1);
    co_await settle();
    EXPECT_EQ(order, "1");
    co_await notify(&monitor, 2);
    co_await settle();
    EXPECT_EQ(order, "123");
    co_await notify(&monitor, 0);
    co_await notify(&monitor, 2048);
    co_await settle();
    EXPECT_EQ(order, "12345");
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

// asyncio's test_locks.py: Semaphore. Rows 57 and 58.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

using Permit = Semaphore::Permit;

// Keeps the permit until the group is over, as asyncio's tasks do that never release.
Co<void> keeps(Semaphore* semaphore, std::vector<Permit>* kept) {
  Permit permit = co_await semaphore->acquire();
  kept->push_back(std::move(permit));
}

Co<void> spawn_one_by_one(TaskGroup& group, Semaphore* semaphore, std::vector<Permit>* kept,
                          std::vector<Task<void>>* tasks, int count) {
  for (int i = 0; i < count; ++i) {
    tasks->push_back(group.spawn(&keeps, semaphore, kept));
    co_await settle();
  }
}

// A release without an acquire, which asyncio's semaphores that start at zero are given: the permit
// is taken out first.
void release(std::vector<Permit>& held) { held.pop_back(); }

// Row 57 (same): two that wait are cancelled, one permit comes: exactly one other has it.
TEST(AsyncioSemaphores, AcquireCancelBeforeAwoken) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Semaphore semaphore(1);
    std::vector<Permit> held;
    std::vector<Permit> kept;
    std::vector<Task<void>> tasks;
    held.push_back(*semaphore.try_acquire());
    co_await spawn_one_by_one(group, &semaphore, &kept, &tasks, 4);
    tasks[0].cancel();
    tasks[1].cancel();
    co_await yield_now();  // the cancellations are delivered, nobody else has run
    release(held);
    co_await settle();
    EXPECT_TRUE(tasks[2].done());
    EXPECT_FALSE(tasks[3].done());
    EXPECT_EQ(kept.size(), 1u);
    tasks[3].cancel();
    kept.clear();
    co_await settle();
    EXPECT_EQ(semaphore.available() + kept.size(), 1u) << "a permit was lost, or made";
    kept.clear();
    co_return absl::OkStatus();
  });
}

TEST(AsyncioSemaphores, AcquireHang) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Semaphore semaphore(1);
    std::vector<Permit> held;
    std::vector<Permit> kept;
    std::vector<Task<void>> tasks;
    held.push_back(*semaphore.try_acquire());
    co_await spawn_one_by_one(group, &semaphore, &kept, &tasks, 2);
    tasks[0].cancel();
    release(held);  // in the same step: the first has it before the request acts, and keeps it
    co_await settle();
    EXPECT_EQ(kept.size(), 1u);
    EXPECT_EQ(semaphore.available(), 0u);
    kept.clear();
    co_await settle();
    EXPECT_TRUE(tasks[1].done()) << "the second was forgotten";
    kept.clear();
    co_return absl::OkStatus();
  });
}

TEST(AsyncioSemaphores, AcquireNoHang) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Semaphore semaphore(1);
    Task<void> second;
    Task<void> first = group.spawn(
        [](Semaphore* semaphore, Task<void>* second) -> Co<void> {
          Permit permit = co_await semaphore->acquire();
          co_await sleep(absl::Seconds(1));
          permit.release();
          second->cancel();  // it has been handed the permit just now
        },
        &semaphore, &second);
    co_await settle();
    second = group.spawn(
        [](Semaphore* semaphore) -> Co<void> {
          Permit permit = co_await semaphore->acquire();
          co_await yield_now();
          ADD_FAILURE() << "went on";
        },
        &semaphore);
    co_await first;
    Outcome<void> outcome = co_await second;
    EXPECT_TRUE(outcome.cancelled());
    absl::StatusOr<Permit> mine = co_await timeout(absl::Seconds(1), semaphore.acquire());
    EXPECT_TRUE(mine.ok()) << "the permit went with the cancelled task";
    co_return absl::OkStatus();
  });
}

// Row 58 (same).
TEST(AsyncioSemaphores, AcquireFifoOrder) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Semaphore semaphore(1);
    std::string order;
    co_await Try(with_group(
        [](TaskGroup& group, Semaphore* semaphore, std::string* order) -> Co<absl::Status> {
          for (const char* tag : {"a", "b", "c"}) {
            group.spawn(
                [](Semaphore* semaphore, std::string tag, std::string* order) -> Co<void> {
                  for (int round = 1; round <= 2; ++round) {
                    Permit permit = co_await semaphore->acquire();
                    *order += tag + std::to_string(round) + " ";
                    co_await sleep(absl::Milliseconds(10));
                  }
                },
                semaphore, tag, order);
            co_await settle();
          }
          co_return absl::OkStatus();
        },
        &semaphore, &order));
    EXPECT_EQ(order, "a1 b1 c1 a2 b2 c2 ");
    co_return absl::OkStatus();
  });
}

// Row 58, _2: who releases and asks again in one breath queues behind those who wait.
TEST(AsyncioSemaphores, AcquireFifoOrder2) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Semaphore semaphore(1);
    std::string order;
    Permit mine = co_await semaphore.acquire();
    using Taker = Co<void> (*)(Semaphore*, std::string*, char, char);
    const Taker taker = [](Semaphore* semaphore, std::string* order, char first,
                           char again) -> Co<void> {
      Permit permit = co_await semaphore->acquire();
      *order += first;
      if (again == 0) co_return;
      permit.release();
      Permit second = co_await semaphore->acquire();
      *order += again;
    };
    const char again[] = {0, '4', 0};
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(group.spawn(taker, &semaphore, &order, static_cast<char>('1' + i), again[i]));
      co_await settle();
    }
    mine.release();
    for (const Task<void>& task : tasks) co_await task;
    EXPECT_EQ(order, "1234");
    co_return absl::OkStatus();
  });
}

// Row 58, _3: the first is cancelled: the others keep their order.
TEST(AsyncioSemaphores, AcquireFifoOrder3) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Semaphore semaphore(2);
    std::vector<Permit> held;
    std::vector<Permit> kept;
    std::vector<Task<void>> tasks;
    held.push_back(*semaphore.try_acquire());
    held.push_back(*semaphore.try_acquire());
    co_await spawn_one_by_one(group, &semaphore, &kept, &tasks, 3);
    tasks[0].cancel();
    co_await settle();
    release(held);
    co_await settle();
    EXPECT_TRUE(tasks[1].done());
    EXPECT_FALSE(tasks[2].done());
    release(held);
    co_await tasks[2];
    EXPECT_TRUE(tasks[0].outcome().cancelled());
    EXPECT_EQ(kept.size(), 2u);
    kept.clear();
    EXPECT_EQ(semaphore.available(), 2u);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

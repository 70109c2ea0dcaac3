// Event, Lock, Semaphore, Condition, Future.
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

// ---- Event

Co<absl::Status> wait_for(Event* event, int* woken) {
  Counted counted;
  co_await event->wait();
  ++*woken;
  co_return absl::OkStatus();
}

// test_clear_with_waiters
TEST(Event, SetThenClearStillWakesThoseWhoWaited) {
  on_every_seed([]() -> Co<absl::Status> {
    Event event;
    int woken = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Event& event, int& woken) -> Co<absl::Status> {
          for (int i = 0; i < 5; ++i) group.spawn(wait_for, &event, &woken);
          co_await sleep(absl::Seconds(1));
          event.set();
          event.clear();
          co_await sleep(absl::Seconds(1));
          EXPECT_EQ(woken, 5);
          Task<void> late = group.spawn(wait_for, &event, &woken);
          co_await sleep(absl::Seconds(1));
          EXPECT_FALSE(late.done());
          event.set();
          co_return absl::OkStatus();
        },
        event, woken);
    EXPECT_EQ(woken, 6);
    co_return status;
  });
}

// ---- Lock

Co<absl::Status> critical(Lock* lock, int* inside, std::vector<int>* order, int i) {
  Counted counted;
  Lock::Guard guard = co_await lock->acquire();
  EXPECT_EQ(++*inside, 1);
  co_await sleep(absl::Milliseconds(i % 3));
  co_await yield_now();
  --*inside;
  order->push_back(i);
  co_return absl::OkStatus();
}

TEST(Lock, ExcludesOnEverySeed) {
  on_every_seed([]() -> Co<absl::Status> {
    Lock lock;
    int inside = 0;
    std::vector<int> order;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Lock* lock, int* inside, std::vector<int>* order) -> Co<absl::Status> {
          for (int i = 0; i < 10; ++i) group.spawn(critical, lock, inside, order, i);
          co_return absl::OkStatus();
        },
        &lock, &inside, &order);
    EXPECT_EQ(order.size(), 10u);
    EXPECT_FALSE(lock.locked());
    co_return status;
  });
}

TEST(Lock, IsHandedOverInTheOrderOfAsking) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       Lock lock;
                       int inside = 0;
                       std::vector<int> order;
                       absl::Status status = co_await with_group(
                           [](TaskGroup& group, Lock* lock, int* inside,
                              std::vector<int>* order) -> Co<absl::Status> {
                             for (int i = 0; i < 5; ++i)
                               group.spawn(critical, lock, inside, order, i);
                             co_return absl::OkStatus();
                           },
                           &lock, &inside, &order);
                       EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
                       co_return status;
                     }),
            absl::OkStatus());
}

// test_finished_waiter_cancelled, test_cancel_race: cancel a waiter while the lock is released.
TEST(Lock, CancellingAWaiterNeverLosesTheLock) {
  const absl::Status status = run_once(0, []() -> Co<absl::Status> {
    Lock lock;
    Lock* l = &lock;
    co_return co_await with_group(
        [](TaskGroup& group, Lock* lock) -> Co<absl::Status> {
          using Taker = Co<absl::Status> (*)(Lock*);
          Taker taker = [](Lock* lock) -> Co<absl::Status> {
            Lock::Guard guard = co_await lock->acquire();
            co_return absl::OkStatus();
          };
          Lock::Guard mine = co_await lock->acquire();
          Task<void> a = group.spawn(taker, lock);
          Task<void> b = group.spawn(taker, lock);
          Task<void> c = group.spawn(taker, lock);
          co_await sleep(absl::Seconds(1));
          mine.unlock();
          a.cancel();  // has been handed the lock already: a wake-up given is not taken back
          b.cancel();  // may still be waiting: gives up its place
          Outcome<void> first = co_await a;
          EXPECT_TRUE(first.ok());
          Outcome<void> second = co_await b;
          Outcome<void> third = co_await c;
          EXPECT_TRUE(third.ok());
          EXPECT_FALSE(lock->locked());
          co_return absl::OkStatus();
        },
        l);
  });
  EXPECT_EQ(status, absl::OkStatus());
}

TEST(Lock, TryAcquireDoesNotWait) {
  on_every_seed([]() -> Co<absl::Status> {
    Lock lock;
    std::optional<Lock::Guard> first = lock.try_acquire();
    EXPECT_TRUE(first.has_value());
    EXPECT_FALSE(lock.try_acquire().has_value());
    first.reset();
    EXPECT_FALSE(lock.locked());
    co_return absl::OkStatus();
  });
}

TEST(Lock, CancelledAtEveryTurnItIsNeverLeftLocked) {
  // ~Lock checks that it is free.
  EXPECT_GT(cancel_at_every_turn(
                []() -> Co<absl::Status> {
                  Lock lock;
                  Lock* l = &lock;
                  co_return co_await with_group(
                      [](TaskGroup& group, Lock* lock) -> Co<absl::Status> {
                        for (int i = 0; i < 4; ++i) {
                          group.spawn(
                              [](Lock* lock, int i) -> Co<absl::Status> {
                                Counted counted;
                                Lock::Guard guard = co_await lock->acquire();
                                co_await sleep(absl::Milliseconds(i));
                                co_return absl::OkStatus();
                              },
                              lock, i);
                        }
                        co_return absl::OkStatus();
                      },
                      l);
                },
                [] {}),
            40u);
}

// ---- Semaphore

// test_acquire_cancel_before_awoken, _hang, _no_hang, _fifo_order
TEST(Semaphore, CancelledAtEveryTurnNoPermitIsLost) {
  const std::uint64_t points = cancel_at_every_turn(
      []() -> Co<absl::Status> {
        Semaphore slots(2);
        CancelScope scope;
        Semaphore* s = &slots;
        Outcome<void> outcome = co_await scope.run(with_group(
            [](TaskGroup& group, Semaphore* slots) -> Co<absl::Status> {
              for (int i = 0; i < 6; ++i) {
                group.spawn(
                    [](Semaphore* slots, int i) -> Co<absl::Status> {
                      Counted counted;
                      Semaphore::Permit permit = co_await slots->acquire();
                      EXPECT_LE(slots->available(), 1u);
                      co_await sleep(absl::Milliseconds(i));
                      co_return absl::OkStatus();
                    },
                    slots, i);
              }
              co_return absl::OkStatus();
            },
            s));
        EXPECT_EQ(slots.available(), 2u);
        co_return outcome.cancelled() ? absl::OkStatus() : outcome.status();
      },
      [] {});
  EXPECT_GT(points, 50u);
}

TEST(Semaphore, ANewcomerDoesNotPassThoseWhoWait) {
  on_every_seed([]() -> Co<absl::Status> {
    Semaphore slots(1);
    Semaphore* s = &slots;
    co_return co_await with_group(
        [](TaskGroup& group, Semaphore* slots) -> Co<absl::Status> {
          Semaphore::Permit mine = co_await slots->acquire();
          Task<void> waiting = group.spawn(
              [](Semaphore* slots) -> Co<void> {
                Semaphore::Permit permit = co_await slots->acquire();
                co_await sleep(absl::Seconds(1));
              },
              slots);
          co_await sleep(absl::Seconds(1));
          mine.release();
          EXPECT_FALSE(slots->try_acquire().has_value()) << "the permit is on its way";
          co_await waiting;
          EXPECT_EQ(slots->available(), 1u);
          co_return absl::OkStatus();
        },
        s);
  });
}

// ---- Condition

// test_wait_cancel_contested, test_wait_cancel_after_notify: the lock is held whenever wait() ends.
TEST(Condition, CancelledAtEveryTurnTheLockIsHeldWhenWaitEnds) {
  const std::uint64_t points = cancel_at_every_turn(
      []() -> Co<absl::Status> {
        Lock lock;
        Condition changed(lock);
        int items = 0;
        int taken = 0;
        absl::Status status = co_await with_group(
            [](TaskGroup& group, Lock* lock, Condition* changed, int* items,
               int* taken) -> Co<absl::Status> {
              for (int i = 0; i < 3; ++i) {
                group.spawn(
                    [](Lock* lock, Condition* changed, int* items, int* taken) -> Co<absl::Status> {
                      Counted counted;
                      Lock::Guard guard = co_await lock->acquire();
                      CancelScope scope;
                      while (*items == 0) {
                        Outcome<void> outcome = co_await scope.run(changed->wait());
                        EXPECT_TRUE(lock->locked()) << "wait() ended without the lock";
                        if (outcome.cancelled()) co_return absl::OkStatus();
                      }
                      --*items;
                      ++*taken;
                      co_return absl::OkStatus();
                    },
                    lock, changed, items, taken);
              }
              // A child too, not the body: the body is unwound last, and whoever waits for the
              // lock it holds would wait for ever.
              group.spawn(
                  [](Lock* lock, Condition* changed, int* items) -> Co<absl::Status> {
                    for (int i = 0; i < 3; ++i) {
                      co_await sleep(absl::Milliseconds(1));
                      Lock::Guard guard = co_await lock->acquire();
                      ++*items;
                      changed->notify();
                      co_await yield_now();
                    }
                    co_return absl::OkStatus();
                  },
                  lock, changed, items);
              co_return absl::OkStatus();
            },
            &lock, &changed, &items, &taken);
        EXPECT_EQ(taken, 3);
        co_return status;
      },
      [] {});
  EXPECT_GT(points, 60u);
}

Co<absl::Status> wait_holding(Lock* lock, Condition* changed) {
  Counted counted;
  Lock::Guard guard = co_await lock->acquire();
  co_await changed->wait();
  co_return absl::OkStatus();
}

Co<absl::Status> body_and_children_wait(TaskGroup& group, Lock* lock, Condition* changed) {
  for (int i = 0; i < 3; ++i) group.spawn(&wait_holding, lock, changed);
  co_return co_await wait_holding(lock, changed);
}

// The body is unwound last, and takes the lock back last too.
TEST(Condition, AGroupWhoseBodyAndChildrenWaitInItCanBeCancelled) {
  const std::uint64_t points = cancel_at_every_turn(
      []() -> Co<absl::Status> {
        Lock lock;
        Condition changed(lock);
        absl::Status ended = co_await timeout(absl::Seconds(1),
                                              with_group(&body_and_children_wait, &lock, &changed));
        EXPECT_FALSE(ended.ok());
        EXPECT_FALSE(lock.locked());
        co_return absl::OkStatus();
      },
      [] {});
  EXPECT_GT(points, 30u);
}

TEST(ConditionDeathTest, WaitingWithoutTheLockIsAnError) {
  EXPECT_DEATH((void)run_once(0,
                              []() -> Co<absl::Status> {
                                Lock lock;
                                Condition changed(lock);
                                co_await changed.wait();
                                co_return absl::OkStatus();
                              }),
               "without holding the lock");
}

// ---- Future

TEST(Future, WakesAllWhoAwaitIt) {
  on_every_seed([]() -> Co<absl::Status> {
    int sum = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& sum) -> Co<absl::Status> {
          Promise<int> promise;
          for (int i = 0; i < 4; ++i) {
            group.spawn(
                [](Future<int> future, int* sum) -> Co<absl::Status> {
                  absl::StatusOr<int> value = co_await future;
                  *sum += *value;
                  co_return absl::OkStatus();
                },
                promise.future(), &sum);
          }
          co_await sleep(absl::Seconds(1));
          EXPECT_TRUE(promise.set_value(5));
          EXPECT_FALSE(promise.set_value(6)) << "the first result stays";
          EXPECT_FALSE(promise.set_error(absl::InternalError("late")));
          co_return absl::OkStatus();
        },
        sum);
    EXPECT_EQ(sum, 20);
    co_return status;
  });
}

TEST(Future, ADroppedPromiseIsAnErrorNotAHang) {
  on_every_seed([]() -> Co<absl::Status> {
    std::optional<Promise<std::unique_ptr<int>>> promise(std::in_place);
    Future<std::unique_ptr<int>> future = promise->future();
    promise.reset();
    absl::StatusOr<std::unique_ptr<int>> value = co_await future;
    EXPECT_EQ(value.status().code(), absl::StatusCode::kCancelled);
    Promise<> done;
    done.set_value();
    absl::Status status = co_await done.future();
    co_return status;
  });
}

}  // namespace
}  // namespace fermata

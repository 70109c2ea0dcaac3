// Edges where the contract leaves a choice, and what was chosen: each test says what happens today,
// so that a change of mind is seen.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// ---- a race between two that are ready

// gather.h says so: the loser had its item before it could be cancelled, and its result is dropped.
// How many items go that way depends on the order of the loop, so it is asked of every seed.
TEST(OpenPoints, ARaceDropsTheItemOfALoserThatWasAwake) {
  int dropped = 0;
  int* count = &dropped;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const absl::Status status = run_once(
        seed,
        [](int*& dropped) -> Co<absl::Status> {
          Queue<int> left(1);
          Queue<int> right(1);
          co_return co_await with_group(
              [](TaskGroup& group, Queue<int>* left, Queue<int>* right,
                 int* dropped) -> Co<absl::Status> {
                group.spawn(
                    [](Queue<int>* left, Queue<int>* right) -> Co<void> {
                      co_await settle();
                      EXPECT_TRUE(left->put_nowait(1).ok());
                      EXPECT_TRUE(right->put_nowait(2).ok());
                    },
                    left, right);
                std::variant<std::optional<int>, std::optional<int>> first =
                    co_await race(left->get(), right->get());
                EXPECT_LT(first.index(), 2u);
                *dropped += left->empty() && right->empty() ? 1 : 0;
                // What keeps both: settle them, and look at each.
                EXPECT_TRUE(left->put_nowait(1).ok());
                EXPECT_TRUE(right->put_nowait(2).ok());
                std::tuple<Outcome<std::optional<int>>, Outcome<std::optional<int>>> each =
                    co_await gather_settled(left->get(), right->get());
                EXPECT_EQ(**std::get<0>(each) + **std::get<1>(each), 3);
                co_return absl::OkStatus();
              },
              &left, &right, dropped);
        },
        count);
    EXPECT_EQ(status, absl::OkStatus()) << "seed " << seed;
  }
  EXPECT_EQ(dropped, static_cast<int>(kSeeds));
}

// timeout() around the race, and inside it, keeps what was got.
TEST(OpenPoints, ATimeoutInsideARaceLosesNothingWhenTheOtherSideIsTime) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Queue<int> queue(4);
    group.spawn(
        [](Queue<int>* queue) -> Co<absl::Status> {
          for (int i = 0; i < 40; ++i) {
            co_await sleep(absl::Milliseconds(1));
            co_await Try(queue->put(i));
          }
          queue->shutdown();
          co_return absl::OkStatus();
        },
        &queue);
    int next = 0;
    for (;;) {
      absl::StatusOr<std::optional<int>> item =
          co_await timeout(absl::Milliseconds(1), queue.get());
      if (!item.ok()) continue;
      if (!item->has_value()) break;
      EXPECT_EQ(**item, next++);
    }
    EXPECT_EQ(next, 40);
    co_return absl::OkStatus();
  });
}

// ---- a body that holds the lock its child must have back

struct Monitor {
  Lock lock;
  Condition changed{lock};
};

Co<void> waits_in_condition(Monitor* monitor) {
  Lock::Guard guard = co_await monitor->lock.acquire();
  co_await monitor->changed.wait();
}

// The children of a cancelled group go first, its body last. A child in Condition::wait() must have
// the lock back before it goes; a body that holds the lock keeps it until it goes. So neither goes.
// The simulated loop finds it, and cannot end it: it is an abort, which names the reason.
TEST(OpenPointsDeathTest, ABodyThatHoldsTheLockOfItsChildsConditionCannotBeCancelled) {
  EXPECT_DEATH((void)run_once(0,
                              []() -> Co<absl::Status> {
                                Monitor monitor;
                                co_return co_await timeout(
                                    absl::Seconds(1),
                                    with_group(
                                        [](TaskGroup& group, Monitor* monitor) -> Co<absl::Status> {
                                          group.spawn(&waits_in_condition, monitor);
                                          co_await settle();
                                          Lock::Guard guard = co_await monitor->lock.acquire();
                                          co_await sleep_an_hour();
                                          co_return absl::OkStatus();
                                        },
                                        &monitor));
                              }),
               "cannot be cancelled");
}

// The way out: who lends a lock to children does not hold it while it waits for something else.
TEST(OpenPoints, ABodyThatLetsGoOfTheLockCanBeCancelled) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Monitor monitor;
    Monitor* shared = &monitor;
    absl::Status status = co_await timeout(
        absl::Seconds(1), with_group(
                              [](TaskGroup& group, Monitor* monitor) -> Co<absl::Status> {
                                group.spawn(&waits_in_condition, monitor);
                                co_await settle();
                                Lock::Guard guard = co_await monitor->lock.acquire();
                                monitor->changed.notify();
                                guard.unlock();
                                group.spawn(&waits_in_condition, monitor);
                                co_await sleep_an_hour();
                                co_return absl::OkStatus();
                              },
                              shared));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_FALSE(monitor.lock.locked());
    co_return absl::OkStatus();
  });
}

// ---- for_each in a cancelled scope

// An item that shields itself runs to its end; the next one is not begun.
TEST(OpenPoints, ForEachStartsNoMoreWhenItIsCancelled) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int begun = 0;
    std::vector<int> items(10, 1);
    using OnItem = Co<absl::Status> (*)(int, int*);
    const OnItem on_item = [](int, int* begun) -> Co<absl::Status> {
      ++*begun;
      co_await shield(sleep(absl::Seconds(1)));
      co_return absl::OkStatus();
    };
    absl::Status status =
        co_await timeout(absl::Milliseconds(2500), for_each(items, 2, on_item, &begun));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(begun, 6) << "two at a time, three times";
    co_return absl::OkStatus();
  });
}

// ---- depth

Co<int> deep(int levels) {
  if (levels == 0) {
    co_await sleep_an_hour();
    co_return 0;
  }
  int below = co_await deep(levels - 1);
  co_return below + 1;
}

// A cancelled chain of calls is destroyed from its outermost frame, whose destructor destroys the
// next: the stack grows with the depth. Ten thousand are fine everywhere (Hazards); 8 MiB end
// between 20,000 and 60,000 in unoptimised builds. Calls and errors have no such limit.
TEST(OpenPointsDeathTest, HundredsOfThousandsOfNestedCallsCannotBeCancelled) {
  EXPECT_DEATH((void)run_once(0,
                              []() -> Co<absl::Status> {
                                absl::StatusOr<int> cut =
                                    co_await timeout(absl::Seconds(1), deep(500'000));
                                co_return cut.status();
                              }),
               "");
}

// ---- results that throw when they are moved

class Fragile {
 public:
  explicit Fragile(int moves) : left_(moves) {}
  Fragile(Fragile&& other) : left_(other.left_ - 1), owned_(std::make_unique<int>(left_)) {
    if (left_ < 0) throw std::runtime_error("moved once too often");
  }
  Fragile& operator=(Fragile&& other) = default;

 private:
  int left_;
  std::unique_ptr<int> owned_;
};

Co<Fragile> fragile(int moves) {
  co_await yield_now();
  co_return Fragile(moves);
}

// Between coroutines a move that throws is an exception like any other.
TEST(OpenPoints, AResultThatThrowsOnItsWayIsAnExceptionInTheCaller) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int caught = 0;
    for (int moves = 0; moves < 4; ++moves) {
      try {
        Fragile result = co_await fragile(moves);
        break;
      } catch (const std::runtime_error&) {
        ++caught;
      }
    }
    EXPECT_GE(caught, 1);
    EXPECT_LE(caught, 3);
    co_return absl::OkStatus();
  });
}

// Out of a task it is the end of the program: the outcome is stored where nothing may throw, and
// StatusOr itself moves as if nothing could. A result whose move throws belongs behind a pointer.
TEST(OpenPointsDeathTest, AResultThatThrowsOnItsWayOutOfATaskEndsTheProgram) {
  EXPECT_DEATH(
      (void)run_once(0,
                     []() -> Co<absl::Status> {
                       co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
                         Task<Fragile> task = group.spawn(&fragile, 1);
                         co_await task;
                         co_return absl::OkStatus();
                       });
                     }),
      "moved once too often");
}

}  // namespace
}  // namespace fermata

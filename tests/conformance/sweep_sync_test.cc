// The cancel-at-every-turn sweep over what coroutines share: Event, Lock, Semaphore, Condition,
// Queue, PriorityQueue, Future. After each cancelled point the primitive is used once more.
#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"
#include "tests/conformance/sweep.h"

namespace fermata {
namespace {

// ---- Event

struct EventState {
  Event event;
  int woken = 0;
};

Co<absl::Status> use_event(EventState* state) {
  co_return co_await with_group(
      [](TaskGroup& group, EventState* state) -> Co<absl::Status> {
        for (int i = 0; i < 4; ++i) {
          group.spawn(
              [](EventState* state) -> Co<void> {
                Counted counted;
                for (int round = 0; round < 2; ++round) {
                  co_await state->event.wait();
                  ++state->woken;
                  co_await yield_now();
                }
              },
              state);
        }
        for (int i = 0; i < 3; ++i) {
          co_await sleep(absl::Milliseconds(1));
          state->event.set();
          state->event.clear();
        }
        co_return absl::OkStatus();
      },
      state);
}

TEST(Sweep, Event) {
  sweep<EventState>("Event", 500, &use_event, [](EventState* state) -> Co<void> {
    const int woken = state->woken;
    state->event.set();  // wakes nobody: nobody is left
    co_await settle();
    EXPECT_EQ(state->woken, woken);
    co_await state->event.wait();
  });
}

// ---- Lock, Semaphore

struct LockState {
  Lock lock;
  int inside = 0;
  int entered = 0;
};

Co<absl::Status> use_lock(LockState* state) {
  co_return co_await with_group(
      [](TaskGroup& group, LockState* state) -> Co<absl::Status> {
        for (int i = 0; i < 4; ++i) {
          group.spawn(
              [](LockState* state, int i) -> Co<void> {
                struct Inside {
                  explicit Inside(LockState* state) : state(state) {
                    EXPECT_EQ(++state->inside, 1);
                    ++state->entered;
                  }
                  ~Inside() { --state->inside; }
                  LockState* state;
                };
                for (int round = 0; round < 2; ++round) {
                  Lock::Guard guard = co_await state->lock.acquire();
                  Inside inside(state);
                  co_await sleep(absl::Milliseconds(i % 2));
                }
              },
              state, i);
        }
        co_return absl::OkStatus();
      },
      state);
}

TEST(Sweep, Lock) {
  sweep<LockState>("Lock", 670, &use_lock, [](LockState* state) -> Co<void> {
    EXPECT_FALSE(state->lock.locked());
    EXPECT_EQ(state->inside, 0);
    EXPECT_LE(state->entered, 8);
    Lock::Guard guard = co_await state->lock.acquire();
  });
}

struct SemaphoreState {
  Semaphore semaphore{2};
  int holding = 0;
};

Co<absl::Status> use_semaphore(SemaphoreState* state) {
  co_return co_await with_group(
      [](TaskGroup& group, SemaphoreState* state) -> Co<absl::Status> {
        for (int i = 0; i < 5; ++i) {
          group.spawn(
              [](SemaphoreState* state, int i) -> Co<void> {
                Counted counted;
                Semaphore::Permit permit = co_await state->semaphore.acquire();
                EXPECT_LE(++state->holding, 2);
                CancelScope scope;
                Outcome<void> outcome = co_await scope.run(sleep(absl::Milliseconds(i)));
                --state->holding;
                permit.release();
                Semaphore::Permit again = co_await state->semaphore.acquire();
                co_await yield_now();
              },
              state, i);
        }
        co_return absl::OkStatus();
      },
      state);
}

TEST(Sweep, Semaphore) {
  sweep<SemaphoreState>("Semaphore", 720, &use_semaphore, [](SemaphoreState* state) -> Co<void> {
    EXPECT_EQ(state->holding, 0);
    EXPECT_EQ(state->semaphore.available(), 2u);
    Semaphore::Permit one = co_await state->semaphore.acquire();
    Semaphore::Permit two = co_await state->semaphore.acquire();
    EXPECT_FALSE(state->semaphore.try_acquire().has_value());
  });
}

// ---- Condition

struct ConditionState {
  Lock lock;
  Condition changed{lock};
  int tokens = 0;
  int given = 0;
  int taken = 0;
};

Co<absl::Status> use_condition(ConditionState* state) {
  co_return co_await with_group(
      [](TaskGroup& group, ConditionState* state) -> Co<absl::Status> {
        for (int i = 0; i < 3; ++i) {
          group.spawn(
              [](ConditionState* state) -> Co<void> {
                Lock::Guard guard = co_await state->lock.acquire();
                CancelScope scope;
                while (state->tokens == 0) {
                  Outcome<void> outcome = co_await scope.run(state->changed.wait());
                  EXPECT_TRUE(state->lock.locked()) << "wait() ended without the lock";
                  if (outcome.cancelled()) co_return;
                }
                --state->tokens;
                ++state->taken;
              },
              state);
        }
        for (int i = 0; i < 3; ++i) {
          co_await sleep(absl::Milliseconds(1));
          Lock::Guard guard = co_await state->lock.acquire();
          ++state->tokens;
          ++state->given;
          state->changed.notify();
          // A body that suspended with the lock could not be cancelled: open_points_test.cc.
          guard.unlock();
          co_await yield_now();
        }
        co_return absl::OkStatus();
      },
      state);
}

TEST(Sweep, Condition) {
  sweep<ConditionState>("Condition", 390, &use_condition, [](ConditionState* state) -> Co<void> {
    EXPECT_FALSE(state->lock.locked());
    EXPECT_EQ(state->given, state->taken + state->tokens);
    state->changed.notify_all();  // wakes nobody
    Lock::Guard guard = co_await state->lock.acquire();
  });
}

// ---- Queue, PriorityQueue

template <class Q, std::size_t size>
struct QueueState {
  Q queue{size};
  std::vector<int> put;  // what put() said it took
  std::vector<int> got;
};

template <class State>
Co<absl::Status> use_queue(State* state) {
  co_return co_await with_group(
      [](TaskGroup& group, State* state) -> Co<absl::Status> {
        for (int i = 0; i < 3; ++i) {
          group.spawn(
              [](State* state, int i) -> Co<void> {
                for (int k = 0; k < 3; ++k) {
                  const int item = 10 * i + k;
                  absl::Status status = co_await state->queue.put(item);
                  EXPECT_TRUE(status.ok());
                  state->put.push_back(item);
                }
              },
              state, i);
        }
        for (int i = 0; i < 2; ++i) {
          group.spawn(
              [](State* state, int i) -> Co<void> {
                for (int k = 0; k < 3; ++k) {
                  co_await sleep(absl::Microseconds(i * k));
                  std::optional<int> item = co_await state->queue.get();
                  state->got.push_back(*item);
                }
              },
              state, i);
        }
        co_await sleep(absl::Milliseconds(1));
        for (int k = 0; k < 3; ++k) {
          std::optional<int> item = co_await state->queue.get();
          state->got.push_back(*item);
        }
        co_return absl::OkStatus();
      },
      state);
}

template <class State>
Co<void> check_queue(State* state) {
  const std::size_t rest = state->queue.size();
  EXPECT_LE(rest, state->queue.max_size());
  for (std::size_t i = 0; i < rest; ++i) {
    std::optional<int> item = co_await state->queue.get();
    state->got.push_back(*item);
  }
  std::sort(state->put.begin(), state->put.end());
  std::sort(state->got.begin(), state->got.end());
  EXPECT_EQ(state->put, state->got) << "an item was lost, or invented";
  for (std::size_t i = 0; i < state->got.size(); ++i) state->queue.task_done();
  co_await state->queue.join();
  EXPECT_TRUE(state->queue.put_nowait(99).ok());
  EXPECT_EQ(state->queue.size(), 1u) << "a getter that is gone took it";
  EXPECT_EQ(state->queue.get_nowait(), 99);
}

TEST(Sweep, QueueOfOne) {
  using State = QueueState<Queue<int>, 1>;
  sweep<State>("Queue(1)", 570, &use_queue<State>, &check_queue<State>);
}

TEST(Sweep, QueueOfFour) {
  using State = QueueState<Queue<int>, 4>;
  sweep<State>("Queue(4)", 430, &use_queue<State>, &check_queue<State>);
}

TEST(Sweep, PriorityQueueOfTwo) {
  using State = QueueState<PriorityQueue<int>, 2>;
  sweep<State>("PriorityQueue(2)", 550, &use_queue<State>, &check_queue<State>);
}

// ---- Future

struct FutureState {
  Promise<std::string> promise;
  Promise<std::string> dropped;
  int seen = 0;
};

Co<absl::Status> use_future(FutureState* state) {
  co_return co_await with_group(
      [](TaskGroup& group, FutureState* state) -> Co<absl::Status> {
        for (int i = 0; i < 3; ++i) {
          group.spawn(
              [](FutureState* state, Future<std::string> dropped) -> Co<void> {
                absl::StatusOr<std::string> value = co_await state->promise.future();
                EXPECT_EQ(*value, "value");
                absl::StatusOr<std::string> none = co_await dropped;
                EXPECT_EQ(none.status().code(), absl::StatusCode::kCancelled);
                ++state->seen;
              },
              state, state->dropped.future());
        }
        co_await sleep(absl::Milliseconds(1));
        EXPECT_TRUE(state->promise.set_value("value"));
        co_await sleep(absl::Milliseconds(1));
        {
          Promise<std::string> last = std::move(state->dropped);
        }
        co_return absl::OkStatus();
      },
      state);
}

TEST(Sweep, Future) {
  sweep<FutureState>("Future", 340, &use_future, [](FutureState* state) -> Co<void> {
    state->promise.set_value("value");
    absl::StatusOr<std::string> value = co_await state->promise.future();
    EXPECT_EQ(*value, "value");
    EXPECT_LE(state->seen, 3);
  });
}

}  // namespace
}  // namespace fermata

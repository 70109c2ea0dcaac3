// tokio's time_timeout.rs and time_sleep.rs: deadlines that meet completions, and deadlines that
// are moved. Sleep has no reset(); what is moved here is the deadline of a scope.
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

Co<int> at_once(int value) { co_return value; }

TEST(TokioTimeout, SimultaneousDeadlineFutureCompletion) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::StatusOr<int> both = co_await timeout(absl::Seconds(1), value_after(absl::Seconds(1), 7));
    EXPECT_EQ(*both, 7);
    absl::StatusOr<int> nested = co_await timeout(
        absl::Seconds(1), timeout(absl::Seconds(1), value_after(absl::Seconds(1), 8)));
    EXPECT_EQ(*nested, 8);
    co_return absl::OkStatus();
  });
}

// completed_future_past_deadline: tokio looks at the future first. Row 23 of the README: ours does
// not start what is too late.
TEST(TokioTimeout, CompletedFuturePastDeadline) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::StatusOr<int> past = co_await timeout_at(now() - absl::Seconds(1), at_once(1));
    EXPECT_EQ(past.status().code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

TEST(TokioTimeout, FutureAndDeadlineInFuture) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Promise<int> promise;
    Task<int> task = group.spawn(
        [](Future<int> future) -> Co<absl::StatusOr<int>> {
          using Get = Co<absl::StatusOr<int>> (*)(Future<int>);
          const Get get = [](Future<int> future) -> Co<absl::StatusOr<int>> {
            co_return co_await future;
          };
          co_return co_await timeout(absl::Milliseconds(100), get(future));
        },
        promise.future());
    co_await sleep(absl::Milliseconds(90));
    EXPECT_FALSE(task.done());
    promise.set_value(5);
    Outcome<int> outcome = co_await task;
    EXPECT_EQ(outcome.value(), 5);
    EXPECT_EQ(Loop::current().stats().timers, 0u);
    co_return absl::OkStatus();
  });
}

TEST(TokioTimeout, VeryLargeTimeout) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    for (absl::Duration limit : {absl::Hours(24 * 365 * 400), absl::InfiniteDuration(),
                                 absl::Nanoseconds(std::numeric_limits<std::int64_t>::max())}) {
      absl::StatusOr<int> value = co_await timeout(limit, value_after(absl::Seconds(1), 3));
      EXPECT_EQ(*value, 3);
    }
    co_return absl::OkStatus();
  });
}

TEST(TokioTimeout, DeadlineNowElapses) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await timeout_at(now(), sleep_an_hour());
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

// timeout_is_not_exhausted_by_future: a body that always finds something to do, and never waits,
// must not outrun its deadline. On the real loop: only there does time pass while it works.
TEST(TokioTimeout, TimeoutIsNotExhaustedByFuture) {
  EpollLoop loop;
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    Event set;
    set.set();
    Semaphore semaphore(1);
    Queue<int> queue(2);
    struct All {
      Event* set;
      Semaphore* semaphore;
      Queue<int>* queue;
    };
    All all{&set, &semaphore, &queue};
    absl::Status status = co_await timeout(absl::Milliseconds(5), [](All* all) -> Co<void> {
      for (;;) co_await all->set->wait();
    }(&all));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    status = co_await timeout(absl::Milliseconds(5), [](All* all) -> Co<void> {
      for (;;) Semaphore::Permit permit = co_await all->semaphore->acquire();
    }(&all));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    status = co_await timeout(absl::Milliseconds(5), [](All* all) -> Co<absl::Status> {
      for (;;) {
        co_await Try(all->queue->put(1));
        co_await all->queue->get();
      }
    }(&all));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(semaphore.available(), 1u);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

// ---- time_sleep

TEST(TokioSleep, ImmediateSleep) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    const absl::Time start = now();
    co_await sleep_until(start);
    co_await sleep(-absl::Seconds(5));
    EXPECT_EQ(now(), start);
    co_return absl::OkStatus();
  });
}

// is_elapsed, delayed_sleep_level_0..3: never early, whatever the distance.
TEST(TokioSleep, DelayedSleeps) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    for (std::int64_t ns : {1ll, 63ll, 64ll, 1'000ll, 4'095ll, 4'096ll, 1'000'000ll, 262'143ll,
                            262'144ll, 3'600'000'000'000ll, 31'536'000'000'000'000ll}) {
      const absl::Time start = now();
      co_await sleep(absl::Nanoseconds(ns));
      EXPECT_EQ(now() - start, absl::Nanoseconds(ns));
    }
    co_return absl::OkStatus();
  });
}

TEST(TokioSleep, GreaterThanMax) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await timeout(absl::Hours(1), sleep(absl::Hours(24 * 365 * 1000)));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

// Runs an hour of sleep in a scope with a deadline in `first`; after `when` somebody moves the
// deadline to `second`, counted from the start. Says when it ended; reset_* differ in these three.
Co<absl::Duration> moved(absl::Duration first, absl::Duration when, absl::Duration second) {
  const absl::Time start = now();
  CancelScope scope(start + first);
  absl::Status status = co_await with_group(
      [](TaskGroup& group, CancelScope* scope, absl::Time at, absl::Time to) -> Co<absl::Status> {
        group.spawn(
            [](CancelScope* scope, absl::Time at, absl::Time to) -> Co<void> {
              co_await sleep_until(at);
              scope->set_deadline(to);
            },
            scope, at, to);
        Outcome<void> outcome = co_await scope->run(sleep_an_hour());
        group.cancel();
        co_return absl::OkStatus();
      },
      &scope, start + when, start + second);
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(Loop::current().stats().timers, 0u);
  co_return now() - start;
}

TEST(TokioSleep, ResetFamily) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    struct Case {
      const char* name;
      int first, when, second, ends;  // in seconds
    };
    const Case cases[] = {
        {"reset_future_sleep_before_fire, later", 100, 50, 200, 200},
        {"reset_future_sleep_before_fire, earlier", 100, 50, 60, 60},
        {"reset_sleep_to_past", 100, 50, 40, 50},
        {"reset_past_sleep_before_turn", 100, 50, 50, 50},
        {"reset_after_firing", 100, 150, 200, 100},
        {"off, as if to the end of time", 100, 50, 1'000'000, 3600},
        {"moved again to the same time", 100, 50, 100, 100},
    };
    for (const Case& one : cases) {
      absl::Duration took = co_await moved(absl::Seconds(one.first), absl::Seconds(one.when),
                                           absl::Seconds(one.second));
      EXPECT_EQ(took, absl::Seconds(one.ends)) << one.name;
    }
    co_return absl::OkStatus();
  });
}

// Many scopes at once, each moved once: each ends when it should, whatever the heap went through.
TEST(TokioSleep, ManyMovedBackAndForth) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::vector<std::unique_ptr<CancelScope>> scopes;
    std::vector<Task<absl::Time>> ends;
    const absl::Time start = now();
    for (int i = 0; i < 300; ++i) {
      scopes.push_back(std::make_unique<CancelScope>(start + absl::Seconds(1000 + i * 37 % 100)));
      ends.push_back(group.spawn(
          [](CancelScope* scope) -> Co<absl::Time> {
            Outcome<void> outcome = co_await scope->run(sleep_an_hour());
            co_return now();
          },
          scopes.back().get()));
    }
    co_await sleep(absl::Seconds(10));
    for (int i = 0; i < 300; ++i) {
      scopes[static_cast<std::size_t>(i)]->set_deadline(start + absl::Seconds(20 + i * 53 % 2000));
    }
    for (int i = 0; i < 300; ++i) {
      Outcome<absl::Time> end = co_await ends[static_cast<std::size_t>(i)];
      EXPECT_EQ(end.value() - start, absl::Seconds(20 + i * 53 % 2000)) << i;
    }
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

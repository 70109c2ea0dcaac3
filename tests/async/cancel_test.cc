#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/cancel_scope.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<void> sleeper(std::string& log, int depth) {
  Leaves leaves(log, std::to_string(depth));
  if (depth > 0) {
    co_await sleeper(log, depth - 1);
  } else {
    co_await sleep(absl::Hours(1));
  }
}

TEST(Cancel, DestroysFramesInnermostFirst) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    CancelScope scope(now() + absl::Seconds(1));
    Outcome<void> outcome = co_await scope.run(sleeper(log, 4));
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    EXPECT_EQ(log, "0 1 2 3 4 ");
    co_return absl::OkStatus();
  });
}

// test_cancel: the join says cancelled, and a second cancel() after the end does nothing.
TEST(Cancel, JoiningACancelledTaskSaysSo) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      Task<void> task = group.spawn([]() -> Co<void> { co_await sleep(absl::Hours(1)); });
      co_await sleep(absl::Seconds(1));
      task.cancel();
      EXPECT_FALSE(task.done()) << "cancel() runs nothing inline";
      Outcome<void> outcome = co_await task;
      EXPECT_TRUE(outcome.cancelled());
      EXPECT_EQ(outcome.status().code(), absl::StatusCode::kCancelled);
      task.cancel(CancelReason::kShutdown);
      EXPECT_EQ(task.outcome().reason(), CancelReason::kRequested);
      co_return absl::OkStatus();
    });
  });
}

// test_cancel_with_message_before_starting_task
TEST(Cancel, BeforeTheFirstStepTheBodyIsNeverEntered) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      bool entered = false;
      Task<void> task = group.spawn(
          [](bool* entered, Counted) -> Co<void> {
            *entered = true;
            co_return;
          },
          &entered, Counted());
      task.cancel();
      Outcome<void> outcome = co_await task;
      EXPECT_TRUE(outcome.cancelled());
      EXPECT_FALSE(entered);
      EXPECT_EQ(Counted::live, 0) << "arguments go with the task";
      co_return absl::OkStatus();
    });
  });
}

// test_cancel_current_task, test_cancel_at_end
TEST(Cancel, OfOneselfActsAtTheNextSuspension) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    CancelScope scope;
    CancelScope* self = &scope;
    std::string* out = &log;
    Outcome<int> outcome = co_await scope.run([](CancelScope* self, std::string* out) -> Co<int> {
      self->cancel();
      *out += "still here";
      co_await yield_now();
      *out += " never here";
      co_return 1;
    }(self, out));
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "still here");
    CancelScope second;
    self = &second;
    Outcome<int> ended = co_await second.run([](CancelScope* self) -> Co<int> {
      self->cancel();
      co_return 1;
    }(self));
    EXPECT_TRUE(ended.ok()) << "a result that is there wins over a cancel";
    co_return absl::OkStatus();
  });
}

Co<void> ignores_once(std::string* log) {
  CancelScope inner;
  Outcome<void> first = co_await inner.run(sleep(absl::Hours(1)));
  *log += first.cancelled() ? "caught " : "? ";
  co_await yield_now();
  *log += "went on ";
}

// test_cancel_task_catching, test_cancel_task_ignoring
TEST(Cancel, CannotBeSwallowedForGood) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    CancelScope scope(now() + absl::Seconds(1));
    Outcome<void> outcome = co_await scope.run(ignores_once(&log));
    EXPECT_EQ(log, "caught ");
    EXPECT_TRUE(outcome.cancelled());
    co_return absl::OkStatus();
  });
}

TEST(Cancel, ABodyThatYieldsForEverIsStillCancelled) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope;
    co_return co_await with_group(
        [](TaskGroup& group, CancelScope& scope) -> Co<absl::Status> {
          group.spawn(
              [](CancelScope* scope) -> Co<void> {
                co_await yield_now();
                scope->cancel();
              },
              &scope);
          Outcome<void> outcome = co_await scope.run([]() -> Co<void> {
            for (;;) co_await yield_now();
          }());
          EXPECT_TRUE(outcome.cancelled());
          co_return absl::OkStatus();
        },
        scope);
  });
}

// Two cancelled tasks that keep waking each other must not outrun their cancellation.
TEST(Cancel, TwoTasksThatWakeEachOtherAreStillCancelled) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope(now() + absl::Seconds(1));
    Outcome<void> outcome = co_await scope.run(with_group([](TaskGroup& group) -> Co<absl::Status> {
      Queue<int> there(1);
      Queue<int> back(1);
      group.spawn(
          [](Queue<int>* in, Queue<int>* out) -> Co<absl::Status> {
            for (;;) {
              std::optional<int> item = co_await in->get();
              co_await Try(out->put(*item));
              if (*item == 0) co_await sleep(absl::Milliseconds(100));
            }
          },
          &there, &back);
      for (int i = 0;; ++i) {
        co_await Try(there.put(i % 100));
        co_await back.get();
      }
    }));
    EXPECT_TRUE(outcome.cancelled());
    co_return absl::OkStatus();
  });
}

// A queue that always has room must not keep a cancelled task alive.
TEST(Cancel, AnAlwaysReadyOperationYieldsAndIsCancelled) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope;
    CancelScope* self = &scope;
    Outcome<void> outcome = co_await scope.run([](CancelScope* self) -> Co<void> {
      Event event;
      event.set();
      self->cancel();
      for (;;) co_await event.wait();
    }(self));
    EXPECT_TRUE(outcome.cancelled());
    co_return absl::OkStatus();
  });
}

// test_cancel_awaited_task, test_yield_wait_does_not_shield_cancel
TEST(Cancel, OfAJoinerLeavesTheJoinedTaskAlone) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      Task<int> worker = group.spawn([]() -> Co<int> {
        co_await sleep(absl::Seconds(10));
        co_return 3;
      });
      Task<void> joiner =
          group.spawn([](Task<int> worker) -> Co<void> { co_await worker; }, worker);
      co_await sleep(absl::Seconds(1));
      joiner.cancel();
      Outcome<void> joined = co_await joiner;
      EXPECT_TRUE(joined.cancelled());
      EXPECT_FALSE(worker.done());
      Outcome<int> result = co_await worker;
      EXPECT_EQ(result.value(), 3);
      co_return absl::OkStatus();
    });
  });
}

TEST(CancelDeathTest, ATaskThatAwaitsItselfIsAnErrorNotAHang) {
  EXPECT_DEATH(
      (void)run_once(0,
                     []() -> Co<absl::Status> {
                       co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
                         Promise<Task<void>> promise;
                         Task<void> task = group.spawn(
                             [](Future<Task<void>> self) -> Co<void> {
                               absl::StatusOr<Task<void>> task = co_await self;
                               co_await *task;
                             },
                             promise.future());
                         promise.set_value(task);
                         co_return absl::OkStatus();
                       });
                     }),
      "awaits itself");
}

// test_uncancel_structured_blocks
TEST(Cancel, ATimeoutInsideDoesNotAffectWhatFollows) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Status late = co_await timeout(absl::Seconds(1), sleep(absl::Seconds(2)));
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
    absl::Time before = now();
    co_await sleep(absl::Seconds(5));
    EXPECT_EQ(now() - before, absl::Seconds(5));
    co_return absl::OkStatus();
  });
}

TEST(CancelScope, CancelledBeforeRunNeverStartsTheBody) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope;
    scope.cancel(CancelReason::kOverload);
    bool entered = false;
    bool* flag = &entered;
    Outcome<void> outcome = co_await scope.run([](bool* flag) -> Co<void> {
      *flag = true;
      co_return;
    }(flag));
    EXPECT_EQ(outcome.reason(), CancelReason::kOverload);
    EXPECT_FALSE(entered);
    co_return absl::OkStatus();
  });
}

TEST(CancelScope, TheFirstReasonStays) {
  CancelScope scope;
  scope.cancel(CancelReason::kDeadline);
  scope.cancel(CancelReason::kShutdown);
  EXPECT_EQ(scope.reason(), CancelReason::kDeadline);
}

// test_reschedule, test_timeout_disabled
TEST(CancelScope, DeadlinesMoveBothWaysAndOff) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    CancelScope later(start + absl::Seconds(10));
    CancelScope* moved = &later;
    Outcome<void> outcome = co_await later.run([](CancelScope* moved) -> Co<void> {
      moved->set_deadline(now() + absl::Seconds(20));
      co_await sleep(absl::Seconds(15));
      moved->set_deadline(now() + absl::Seconds(1));
      co_await sleep(absl::Hours(1));
    }(moved));
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    EXPECT_EQ(now() - start, absl::Seconds(16));
    CancelScope off(now() + absl::Seconds(1));
    moved = &off;
    Outcome<void> undisturbed = co_await off.run([](CancelScope* moved) -> Co<void> {
      moved->set_deadline(absl::InfiniteFuture());
      co_await sleep(absl::Seconds(5));
    }(moved));
    EXPECT_TRUE(undisturbed.ok());
    co_return absl::OkStatus();
  });
}

TEST(CancelScope, KnowsTheNearestDeadline) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time none = co_await current_deadline();
    EXPECT_EQ(none, absl::InfiniteFuture());
    absl::Time start = now();
    co_return co_await timeout_at(
        start + absl::Seconds(5), [](absl::Time start) -> Co<absl::Status> {
          absl::Time outer = co_await current_deadline();
          EXPECT_EQ(outer, start + absl::Seconds(5));
          absl::Status inner = co_await timeout_at(
              start + absl::Seconds(9), [](absl::Time start) -> Co<absl::Status> {
                absl::Time nearest = co_await current_deadline();
                EXPECT_EQ(nearest, start + absl::Seconds(5));
                co_return absl::OkStatus();
              }(start));
          co_return inner;
        }(start));
  });
}

// ---- every point

Co<absl::StatusOr<int>> leaf_work(Semaphore* slots, int i) {
  Counted counted;
  Semaphore::Permit permit = co_await slots->acquire();
  co_await sleep(absl::Milliseconds(i));
  co_return i;
}

Co<absl::Status> busy_scenario() {
  Counted counted;
  Semaphore slots(2);
  Semaphore* s = &slots;
  absl::StatusOr<std::tuple<int, int, int>> three = co_await gather(
      leaf_work(s, 1), leaf_work(s, 2), timeout(absl::Milliseconds(5), leaf_work(s, 3)));
  EXPECT_TRUE(three.ok());
  Event event;
  std::variant<absl::StatusOr<int>, std::monostate> first =
      co_await race(leaf_work(s, 4), sleep(absl::Milliseconds(2)));
  EXPECT_EQ(first.index(), 1u);
  co_await Try(with_group(
      [](TaskGroup& group, Semaphore* s) -> Co<absl::Status> {
        for (int i = 0; i < 4; ++i) group.spawn(leaf_work, s, i);
        Task<int> last = group.spawn(leaf_work, s, 5);
        Outcome<int> five = co_await last;
        EXPECT_EQ(five.value(), 5);
        co_return absl::OkStatus();
      },
      s));
  int n = co_await offload([](std::string text) { return static_cast<int>(text.size()); },
                           std::string("a string that does not fit into the small buffer"));
  EXPECT_EQ(n, 48);
  co_await shield(sleep(absl::Milliseconds(1)));
  EXPECT_EQ(slots.available(), 2u);
  co_return absl::OkStatus();
}

TEST(Cancel, AtEveryTurnOfABusyScenarioNothingLeaks) {
  EXPECT_EQ(run_once(0, busy_scenario), absl::OkStatus());
  const std::uint64_t points = cancel_at_every_turn(busy_scenario, [] {}, 24);
  EXPECT_GT(points, 400u);
}

}  // namespace
}  // namespace fermata

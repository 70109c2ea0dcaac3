// Trio's test_run.py: what a cancelled scope is, and where it ends. Both are level-triggered, so
// most holds as it stands there. Two things differ: a shield is a call, not a switch, so nothing
// like unshield_while_cancel_propagating can be written; and CancelScope::run always reports, where
// a Trio scope lets a cancellation of the scope around it pass.
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// test_cancel_edge_cases
TEST(TrioRun, CancelEdgeCases) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    // Twice is once, and a cancel that meets no suspension does nothing.
    CancelScope twice;
    Outcome<int> value = co_await twice.run([](CancelScope* scope) -> Co<int> {
      scope->cancel();
      scope->cancel(CancelReason::kOverload);
      co_return 1;
    }(&twice));
    EXPECT_EQ(value.value(), 1);
    EXPECT_EQ(twice.reason(), CancelReason::kRequested);
    // Level-triggered: caught twice, it still acts the third time.
    std::string log;
    CancelScope level;
    Outcome<void> outcome =
        co_await level.run([](CancelScope* scope, std::string* log) -> Co<void> {
          scope->cancel();
          for (int i = 0; i < 2; ++i) {
            CancelScope inner;
            Outcome<void> cut = co_await inner.run(yield_now());
            *log += cut.cancelled() ? "caught " : "missed ";
          }
          co_await yield_now();
          *log += "escaped";
        }(&level, &log));
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "caught caught ");
    co_return absl::OkStatus();
  });
}

// test_cancel_inheritance
TEST(TrioRun, CancelInheritance) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int record = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int* record) -> Co<absl::Status> {
          using Worker = Co<absl::Status> (*)(int*);
          const Worker worker = [](int* record) -> Co<absl::Status> {
            co_return co_await with_group(
                [](TaskGroup& inner, int* record) -> Co<absl::Status> {
                  using Leaf = Co<void> (*)(int*);
                  const Leaf leaf = [](int* record) -> Co<void> {
                    CancelScope scope;
                    Outcome<void> outcome = co_await scope.run(sleep_an_hour());
                    *record += outcome.cancelled() ? 1 : 0;
                  };
                  inner.spawn(leaf, record);
                  inner.spawn(leaf, record);
                  co_return absl::OkStatus();
                },
                record);
          };
          group.spawn(worker, record);
          group.spawn(worker, record);
          co_await settle();
          group.cancel();
          co_return absl::OkStatus();
        },
        &record);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(record, 4);
    co_return absl::OkStatus();
  });
}

// test_cancel_shielding
TEST(TrioRun, CancelShielding) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    std::string log;
    CancelScope outer;
    Outcome<void> outcome =
        co_await outer.run([](CancelScope* outer, std::string* log) -> Co<void> {
          outer->cancel();
          co_await shield([](std::string* log) -> Co<void> {
            co_await yield_now();
            *log += "protected ";
            // Not from a scope inside the shield.
            CancelScope innerest;
            innerest.cancel();
            Outcome<void> cut = co_await innerest.run(yield_now());
            *log += cut.cancelled() ? "cut " : "missed ";
            // Nor do those begun in the shield inherit from around it.
            absl::Status status = co_await gather(sleep(absl::Seconds(1)), sleep(absl::Seconds(2)));
            *log += status.ok() ? "gathered " : "inherited ";
            co_await shield(yield_now());
          }(log));
          *log += "left ";
          co_await yield_now();
          *log += "escaped";
        }(&outer, &log));
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "protected cut gathered left ");
    co_return absl::OkStatus();
  });
}

// test_cancel_scope_nesting. Trio: of two that are cancelled at once the outer one catches. Here
// each run() reports, and the level does the rest: the frame between the two goes no further than
// its next suspension.
TEST(TrioRun, CancelScopeNesting) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    CancelScope one;
    CancelScope two;
    CancelScope three;
    std::string log;
    struct All {
      CancelScope* two;
      CancelScope* three;
      std::string* log;
    };
    All all{&two, &three, &log};
    Outcome<void> first = co_await one.run([](All* all) -> Co<void> {
      Outcome<void> second = co_await all->two->run([](All* all) -> Co<void> {
        Outcome<void> third = co_await all->three->run([](All* all) -> Co<void> {
          all->three->cancel(CancelReason::kOverload);
          all->two->cancel();
          co_await sleep_an_hour();
        }(all));
        EXPECT_EQ(third.reason(), CancelReason::kOverload);
        *all->log += "third ";
        co_await yield_now();
        *all->log += "escaped ";
      }(all));
      EXPECT_EQ(second.reason(), CancelReason::kRequested);
      *all->log += "second ";
      co_await yield_now();
      *all->log += "free ";
    }(&all));
    EXPECT_TRUE(first.ok());
    EXPECT_EQ(log, "third second free ");
    EXPECT_FALSE(one.cancelled());
    co_return absl::OkStatus();
  });
}

// test_cancel_unbound
TEST(TrioRun, CancelUnbound) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    CancelScope before;
    before.cancel();
    Outcome<void> outcome = co_await before.run(sleep_an_hour());
    EXPECT_TRUE(outcome.cancelled());
    // After its body: nothing happens to anybody; used again, it is still cancelled.
    CancelScope after;
    outcome = co_await after.run(yield_now());
    EXPECT_TRUE(outcome.ok());
    after.cancel();
    co_await yield_now();
    outcome = co_await after.run(yield_now());
    EXPECT_TRUE(outcome.cancelled());
    // Not cancelled, it can be used again.
    CancelScope again(now() + absl::Seconds(10));
    for (int i = 0; i < 3; ++i) {
      outcome = co_await again.run(sleep(absl::Seconds(1)));
      EXPECT_TRUE(outcome.ok());
    }
    EXPECT_EQ(Loop::current().stats().timers, 0u) << "its deadline is armed only while it runs";
    outcome = co_await again.run(sleep_an_hour());
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    co_return absl::OkStatus();
  });
}

TEST(TrioRunDeathTest, AScopeRunsOneBodyAtATime) {
  EXPECT_DEATH(in_group([](TaskGroup& group) -> Co<absl::Status> {
                 CancelScope scope;
                 using Enter = Co<void> (*)(CancelScope*);
                 const Enter enter = [](CancelScope* scope) -> Co<void> {
                   Outcome<void> outcome = co_await scope->run(sleep_an_hour());
                 };
                 group.spawn(enter, &scope);
                 group.spawn(enter, &scope);
                 co_await settle();
                 co_return absl::OkStatus();
               }),
               "runs one body at a time");
}

// test_precancelled_task. Trio starts the task, and its first checkpoint fails. Here it is not even
// started: what would never have been waited for does not happen.
TEST(TrioRun, PrecancelledTask) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.cancel();
      Task<void> task = group.spawn([]() -> Co<void> {
        ADD_FAILURE() << "started";
        co_return;
      });
      EXPECT_TRUE(task.outcome().cancelled());
      co_return absl::OkStatus();
    });
    EXPECT_EQ(status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

// test_very_deep_cancel_scope_nesting: with the innermost frame in sight of all the deadlines.
Co<void> deep(int levels, absl::Time* nearest) {
  if (levels == 0) {
    *nearest = co_await current_deadline();
    co_await sleep_an_hour();
    co_return;
  }
  CancelScope scope(now() + absl::Hours(levels));
  Outcome<void> outcome = co_await scope.run(deep(levels - 1, nearest));
  co_await yield_now();
}

TEST(TrioRun, VeryDeepCancelScopeNesting) {
  const absl::Status status = run_once(1, []() -> Co<absl::Status> {
    absl::Time nearest;
    const absl::Time start = now();
    absl::Status cut = co_await timeout(absl::Minutes(1), deep(2'000, &nearest));
    EXPECT_EQ(cut.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(nearest, start + absl::Minutes(1));
    EXPECT_EQ(Loop::current().stats().timers, 0u);
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

// test_locals_destroyed_promptly_on_cancel: whoever learns of the end finds nothing left.
TEST(TrioRun, LocalsDestroyedPromptlyOnCancel) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::string log;
    Task<void> task = group.spawn(
        [](std::string* log, Counted) -> Co<void> {
          Leaves local(*log, "local");
          co_await [](std::string* log) -> Co<void> {
            Leaves deeper(*log, "deeper");
            co_await sleep_an_hour();
          }(log);
        },
        &log, Counted());
    co_await settle();
    EXPECT_GT(Counted::live, 0);
    task.cancel();
    co_await task;
    EXPECT_EQ(log, "deeper local ");
    EXPECT_EQ(Counted::live, 0) << "arguments too, although the handle is still here";
    co_return absl::OkStatus();
  });
}

// test_current_effective_deadline
TEST(TrioRun, CurrentEffectiveDeadline) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    const absl::Time start = now();
    CancelScope outer(start + absl::Seconds(10));
    Outcome<void> outcome =
        co_await outer.run([](CancelScope* outer, absl::Time start) -> Co<void> {
          absl::Time seen = co_await current_deadline();
          EXPECT_EQ(seen, start + absl::Seconds(10));
          co_await shield([](absl::Time start) -> Co<void> {
            absl::Time shielded = co_await current_deadline();
            EXPECT_EQ(shielded, absl::InfiniteFuture());
            const absl::Time later = start + absl::Seconds(99);
            absl::Status status = co_await timeout_at(later, [](absl::Time later) -> Co<void> {
              absl::Time inner = co_await current_deadline();
              EXPECT_EQ(inner, later);
            }(later));
            EXPECT_TRUE(status.ok());
          }(start));
          outer->set_deadline(start + absl::Seconds(20));
          seen = co_await current_deadline();
          EXPECT_EQ(seen, start + absl::Seconds(20));
        }(&outer, start));
    EXPECT_TRUE(outcome.ok());
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

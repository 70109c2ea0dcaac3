// What a second reader suspected of the core, one test per suspicion: objects that outlive what
// they point to, code that runs when nobody expects it, exceptions in odd places.
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// ---- deadlines at the edges of time -------------------------------------------------------------

TEST(Hazards, AScopeWhoseDeadlineHasPassedNeverStartsItsBody) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    bool entered = false;
    bool* out = &entered;
    CancelScope past(absl::InfinitePast());
    Outcome<void> first = co_await past.run([](bool* out) -> Co<void> {
      *out = true;
      co_await yield_now();
    }(out));
    EXPECT_EQ(first.reason(), CancelReason::kDeadline);
    EXPECT_FALSE(entered) << "as timeout() does";
    co_return absl::OkStatus();
  });
}

TEST(Hazards, ADeadlineMovedIntoThePastActsAtTheNextSuspension) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    CancelScope scope;
    CancelScope* self = &scope;
    Outcome<int> outcome = co_await scope.run([](CancelScope* self) -> Co<int> {
      self->set_deadline(absl::InfinitePast());
      co_await yield_now();
      ADD_FAILURE() << "went on";
      co_return 1;
    }(self));
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    co_return absl::OkStatus();
  });
}

TEST(Hazards, DurationsAtBothEndsOfTheirRangeSaturate) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    co_await sleep(-absl::InfiniteDuration());
    co_await sleep_until(absl::InfinitePast());
    absl::StatusOr<int> now =
        co_await timeout(-absl::InfiniteDuration(), value_after(absl::ZeroDuration(), 1));
    EXPECT_EQ(now.status().code(), absl::StatusCode::kDeadlineExceeded);
    absl::StatusOr<int> never =
        co_await timeout(absl::InfiniteDuration(), value_after(absl::ZeroDuration(), 1));
    EXPECT_TRUE(never.ok());
    absl::StatusOr<int> far =
        co_await timeout(absl::Hours(24 * 365 * 290), value_after(absl::ZeroDuration(), 1));
    EXPECT_TRUE(far.ok());
    absl::Status slept = co_await timeout(absl::Seconds(1), sleep(absl::InfiniteDuration()));
    EXPECT_EQ(slept.code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

// ---- what a coroutine holds when Try ends it ----------------------------------------------------

Co<absl::Status> fails_holding(Lock* lock) {
  Lock::Guard guard = co_await lock->acquire();
  co_await Try(fail_after(absl::Seconds(1), absl::StatusCode::kAborted));
  co_return absl::OkStatus();
}

Co<absl::Status> takes(Lock* lock) {
  co_await sleep(absl::Milliseconds(1));
  Lock::Guard guard = co_await lock->acquire();
  co_return absl::OkStatus();
}

// A branch that ended through Try must let go of its locals at once, like one that returned: a
// sibling may be waiting for them.
TEST(Hazards, ABranchThatEndedThroughTryHoldsNothing_GatherSettled) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Lock lock;
    std::tuple<Outcome<void>, Outcome<void>> both =
        co_await gather_settled(fails_holding(&lock), takes(&lock));
    EXPECT_EQ(std::get<0>(both).status().code(), absl::StatusCode::kAborted);
    EXPECT_TRUE(std::get<1>(both).ok());
    co_return absl::OkStatus();
  });
}

TEST(Hazards, ABranchThatEndedThroughTryHoldsNothing_Gather) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Lock lock;
    absl::Status status = co_await gather(fails_holding(&lock), shield(takes(&lock)));
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    co_return absl::OkStatus();
  });
}

TEST(Hazards, ABranchThatEndedThroughTryHoldsNothing_Race) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Lock lock;
    std::variant<absl::Status, absl::Status> first =
        co_await race(fails_holding(&lock), shield(takes(&lock)));
    EXPECT_EQ(first.index(), 0u);
    EXPECT_EQ(std::get<0>(first).code(), absl::StatusCode::kAborted);
    co_return absl::OkStatus();
  });
}

TEST(Hazards, ABranchThatEndedThroughTryHoldsNothing_GroupBody) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Lock lock;
    Lock* held = &lock;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Lock* lock) -> Co<absl::Status> {
          group.spawn(
              [](Lock* lock) -> Co<absl::Status> { co_return co_await shield(takes(lock)); }, lock);
          co_return co_await fails_holding(lock);
        },
        held);
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    status = co_await with_group(
        [](TaskGroup& group, Lock* lock) -> Co<absl::Status> {
          group.spawn(
              [](Lock* lock) -> Co<absl::Status> { co_return co_await shield(takes(lock)); }, lock);
          Lock::Guard guard = co_await lock->acquire();
          co_await Try(fail_after(absl::Seconds(1), absl::StatusCode::kAborted));
          co_return absl::OkStatus();
        },
        held);
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    co_return absl::OkStatus();
  });
}

TEST(Hazards, ABranchThatEndedThroughTryHoldsNothing_ShieldTimeoutScope) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Lock lock;
    absl::Status shielded = co_await shield(fails_holding(&lock));
    EXPECT_EQ(shielded.code(), absl::StatusCode::kAborted);
    EXPECT_FALSE(lock.locked());
    absl::Status timed = co_await timeout(absl::Hours(1), fails_holding(&lock));
    EXPECT_EQ(timed.code(), absl::StatusCode::kAborted);
    EXPECT_FALSE(lock.locked());
    CancelScope scope;
    Outcome<void> scoped = co_await scope.run(fails_holding(&lock));
    EXPECT_EQ(scoped.status().code(), absl::StatusCode::kAborted);
    EXPECT_FALSE(lock.locked());
    co_return absl::OkStatus();
  });
}

// ---- groups that are over -----------------------------------------------------------------------

// A group whose last child has just ended is over, although the coroutine that awaits it has not
// run yet: who still knows it gets a task that is done, as in a group that is closing.
TEST(Hazards, SpawnIntoAGroupThatIsJustOverIsRefused) {
  in_group([](TaskGroup& outer) -> Co<absl::Status> {
    TaskGroup* inner = nullptr;
    TaskGroup** known = &inner;
    Event ending;
    Event* signal = &ending;
    Task<void> intruder = outer.spawn(
        [](TaskGroup** known, Event* signal) -> Co<void> {
          co_await signal->wait();
          if (*known == nullptr) co_return;  // this seed resumed the waiting side first
          Task<void> late = (*known)->spawn(&sleep_an_hour);
          EXPECT_TRUE(late.done());
          late.cancel();
        },
        known, signal);
    absl::Status status = co_await with_group(
        [](TaskGroup& group, TaskGroup** known, Event* signal) -> Co<absl::Status> {
          *known = &group;
          // The last to end is a task: who awaits the group is then queued behind the intruder.
          group.spawn(
              [](Event* signal) -> Co<void> {
                co_await sleep(absl::Seconds(1));
                signal->set();
              },
              signal);
          co_return absl::OkStatus();
        },
        known, signal);
    inner = nullptr;
    EXPECT_TRUE(status.ok());
    intruder.cancel();
    co_return absl::OkStatus();
  });
}

// ---- handles ------------------------------------------------------------------------------------

TEST(Hazards, AHandleDroppedWhileItIsAwaitedDoesNotTakeTheOutcomeWithIt) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::vector<Task<int>> tasks;
    tasks.push_back(group.spawn(&value_after, absl::Seconds(1), 42));
    std::vector<Task<int>>* all = &tasks;
    group.spawn(
        [](std::vector<Task<int>>* all) -> Co<void> {
          co_await sleep(absl::Milliseconds(500));
          all->clear();
        },
        all);
    Outcome<int> outcome = co_await tasks[0];
    EXPECT_EQ(outcome.value(), 42);
    co_return absl::OkStatus();
  });
}

TEST(Hazards, TakingTheOutcomeDoesNotEmptyItForOtherHandles) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<std::string> task =
        group.spawn([]() -> Co<std::string> { co_return std::string(100, 'x'); });
    Task<std::string> other = task;
    Outcome<std::string> taken = co_await std::move(task);
    EXPECT_EQ(taken.value().size(), 100u);
    Outcome<std::string> again = co_await other;
    EXPECT_EQ(again.value().size(), 100u);
    co_return absl::OkStatus();
  });
}

// ---- exceptions in odd places -------------------------------------------------------------------

// Throws when it is moved or copied for the n-th time.
class Fragile {
 public:
  explicit Fragile(int moves) : left_(moves) {}
  Fragile(Fragile&& other) : left_(other.left_ - 1), owned_(std::make_unique<int>(left_)) {
    if (left_ < 0) throw std::runtime_error("moved once too often");
  }

 private:
  int left_;
  std::unique_ptr<int> owned_;  // a leak checker sees what is forgotten
};

Co<void> takes_fragile(Fragile) { co_return; }

TEST(Hazards, AnArgumentThatThrowsLeavesTheGroupAsItWas) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    const std::size_t live = Loop::current().stats().live_tasks;
    const std::size_t size = group.size();
    for (int moves = 0; moves < 2; ++moves) {
      bool threw = false;
      try {
        Fragile argument(moves);
        group.spawn(&takes_fragile, std::move(argument));
      } catch (const std::runtime_error&) {
        threw = true;
      }
      EXPECT_TRUE(threw) << moves;
    }
    EXPECT_EQ(group.size(), size);
    EXPECT_EQ(Loop::current().stats().live_tasks, live);
    co_return absl::OkStatus();
  });
}

// ---- starvation ---------------------------------------------------------------------------------

// A loop that catches every cancellation is a fault of its author; it must not stop the others.
TEST(Hazards, CatchingCancellationsInALoopLetsOthersRun) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    int turns = 0;
    int* count = &turns;
    bool begun = false;
    bool* begun_out = &begun;
    Task<void> other = group.spawn(
        [](int* count) -> Co<void> {
          for (;;) {
            ++*count;
            co_await yield_now();
          }
        },
        count);
    Task<void> stubborn = group.spawn(
        [](int* count, bool* begun) -> Co<void> {
          *begun = true;
          CancelScope scope;
          Outcome<void> cut = co_await scope.run(sleep_an_hour());
          for (int i = 0; i < 1'000'000 && *count < 100; ++i) {
            CancelScope again;
            Outcome<void> outcome = co_await again.run(sleep_an_hour());
          }
        },
        count, begun_out);
    while (!begun) co_await yield_now();
    stubborn.cancel();
    Outcome<void> outcome = co_await stubborn;
    EXPECT_GE(turns, 100);
    other.cancel();
    co_return absl::OkStatus();
  });
}

// ---- run() --------------------------------------------------------------------------------------

TEST(Hazards, RunReportsWhatFailedNotThatMainWasCancelledForIt) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimLoop loop(seed);
    SimLoop* self = &loop;
    absl::Status status = loop.run(
        [](SimLoop* loop) -> Co<absl::Status> {
          loop->root().spawn(&fail_after, absl::Seconds(1), absl::StatusCode::kDataLoss);
          co_await sleep(absl::Hours(1));
          co_return absl::OkStatus();
        },
        self);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status << " seed " << seed;
  }
}

// ---- depth --------------------------------------------------------------------------------------

Co<absl::Status> deep(int levels) {
  if (levels == 0) {
    co_await sleep(absl::Hours(1));
    co_return absl::AbortedError("the bottom");
  }
  co_await Try(deep(levels - 1));
  co_return absl::OkStatus();
}

TEST(Hazards, TenThousandFramesAreCancelledAndFailedWithoutOverflowingTheStack) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    absl::Status cut = co_await timeout(absl::Seconds(1), deep(10'000));
    EXPECT_EQ(cut.code(), absl::StatusCode::kDeadlineExceeded);
    absl::Status failed = co_await timeout(absl::Hours(2), deep(10'000));
    EXPECT_EQ(failed.code(), absl::StatusCode::kAborted);
    co_return absl::OkStatus();
  });
}

Co<void> nested_scopes(int levels) {
  if (levels == 0) {
    co_await sleep(absl::Hours(1));
    co_return;
  }
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(nested_scopes(levels - 1));
  co_await yield_now();
}

// Trio: test_very_deep_cancel_scope_nesting
TEST(Hazards, AThousandNestedScopesAreCancelledFromOutside) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    absl::Status cut = co_await timeout(absl::Seconds(1), nested_scopes(1'000));
    EXPECT_EQ(cut.code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

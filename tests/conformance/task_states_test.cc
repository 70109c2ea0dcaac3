// Every combination of task_states.h, on many seeds: the task ends as the oracle says, once, with
// nothing left of it.
#include "tests/conformance/task_states.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

struct Stage {
  Combination all;
  Event wake_up;
  int begun = 0;
  int passed_wait = 0;
  std::vector<End> seen;  // by those who await the task
};

// A value that counts itself, also in the outcome.
struct Result {
  int number = 0;
  Counted counted;
};

Co<absl::StatusOr<Result>> body(Stage* stage, Counted argument) {
  Counted local;
  ++stage->begun;
  switch (stage->all.doing) {
    case Doing::kUnstarted:
    case Doing::kDone:
      co_return Result{7, Counted()};
    case Doing::kShielded:
      co_await shield(stage->wake_up.wait());
      co_await yield_now();
      break;
    case Doing::kOffloaded: {
      int n = co_await offload([](Counted) { return 1; }, Counted());
      stage->passed_wait += n - 1;
      co_await yield_now();
      break;
    }
    case Doing::kWaits:
      co_await stage->wake_up.wait();
      co_await yield_now();
      break;
    default:
      co_await stage->wake_up.wait();
  }
  ++stage->passed_wait;
  if (stage->all.doing == Doing::kError) co_return absl::NotFoundError("as asked");
  if (stage->all.doing == Doing::kThrows) throw std::runtime_error("as asked");
  co_return Result{7, Counted()};
}

End end_of(const Outcome<Result>& outcome) {
  if (outcome.cancelled()) return End::kCancelled;
  if (outcome.ok()) {
    EXPECT_EQ(outcome.value().number, 7);
    return End::kValue;
  }
  if (outcome.status().code() == absl::StatusCode::kNotFound) return End::kError;
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInternal) << outcome.status();
  return End::kException;
}

Co<void> awaits(Stage* stage, Task<Result> task) {
  const Outcome<Result>& outcome = co_await task;
  stage->seen.push_back(end_of(outcome));
}

// Cancels and wakes, from outside the task's group, so that the group's own end does not disturb.
Co<void> conduct(Stage* stage, TaskGroup* group, Task<Result> task) {
  const Cancel cancel = stage->all.cancel;
  if (stage->all.doing != Doing::kUnstarted) co_await sleep(absl::Nanoseconds(1));
  if (cancel == Cancel::kWhileWaiting || cancel == Cancel::kTwice) task.cancel();
  if (cancel == Cancel::kTwice) task.cancel(CancelReason::kOverload);
  if (stage->all.doing != Doing::kUnstarted && stage->all.group == Group::kCancelledAfter) {
    group->cancel();  // its body sleeps: it is still there
  }
  if (stage->all.doing != Doing::kUnstarted) co_await sleep(absl::Nanoseconds(1));
  stage->wake_up.set();
  if (cancel == Cancel::kSameStepAsWakeUp) task.cancel();
  const Outcome<Result>& outcome = co_await task;
  EXPECT_EQ(end_of(outcome), oracle(stage->all)) << outcome.status();
  const CancelReason reason = outcome.reason();
  if (cancel == Cancel::kAfterEnd) task.cancel(CancelReason::kShutdown);
  EXPECT_EQ(task.outcome().reason(), reason) << "the first reason stays";
}

Co<absl::Status> stage_body(TaskGroup& group, Stage* stage, TaskGroup* around) {
  if (stage->all.group == Group::kCancelledBefore) group.cancel();
  std::optional<Task<Result>> task = group.spawn(&body, stage, Counted());
  if (stage->all.cancel == Cancel::kBeforeStart) task->cancel();
  if (stage->all.handle == Handle::kAwaitedBefore || stage->all.handle == Handle::kAwaitedTwice) {
    around->spawn(&awaits, stage, *task);
  }
  if (stage->all.handle == Handle::kAwaitedTwice) around->spawn(&awaits, stage, *task);
  if (stage->all.doing == Doing::kUnstarted) {
    // Before the task can have had a step.
    const Cancel cancel = stage->all.cancel;
    if (cancel == Cancel::kWhileWaiting || cancel == Cancel::kTwice ||
        cancel == Cancel::kSameStepAsWakeUp) {
      task->cancel();
    }
    if (stage->all.group == Group::kCancelledAfter) group.cancel();
  }
  around->spawn(&conduct, stage, &group, *task);
  if (stage->all.handle == Handle::kDropped) task.reset();
  Task<Result> copy = task.has_value() ? *task : Task<Result>();
  if (stage->all.handle == Handle::kCopied) task.reset();
  if (stage->all.group == Group::kBodyEnded) co_return absl::OkStatus();
  if (copy && stage->all.handle == Handle::kAwaitedAfter) {
    co_await sleep(absl::Seconds(1));
    const Outcome<Result>& outcome = co_await copy;
    stage->seen.push_back(end_of(outcome));
  }
  co_await sleep(absl::Seconds(1));
  co_return absl::OkStatus();
}

Co<absl::Status> one(Stage* stage) {
  co_return co_await with_group(
      [](TaskGroup& around, Stage* stage) -> Co<absl::Status> {
        absl::Status status = co_await with_group(&stage_body, stage, &around);
        const End end = oracle(stage->all);
        EXPECT_EQ(status.ok(), end == End::kValue || end == End::kCancelled) << status;
        stage->wake_up.set();
        co_return absl::OkStatus();
      },
      stage);
}

// How many learn of the end, besides the conductor.
std::size_t awaits_of(const Combination& all) {
  if (all.handle == Handle::kAwaitedTwice) return 2;
  if (all.handle == Handle::kAwaitedBefore) return 1;
  // The body of the group awaits it, unless it has ended or is cut short.
  const bool body_waits =
      all.group == Group::kOpen && (oracle(all) == End::kValue || oracle(all) == End::kCancelled);
  return all.handle == Handle::kAwaitedAfter && body_waits ? 1 : 0;
}

TEST(TaskStates, EveryCombinationEndsAsTheOracleSays) {
  int combinations = 0;
  for (Doing doing : kEveryDoing) {
    for (Handle handle : kEveryHandle) {
      for (Cancel cancel : kEveryCancel) {
        for (Group group : kEveryGroup) {
          const Combination all{doing, handle, cancel, group};
          SCOPED_TRACE(to_string(all));
          for (std::uint64_t seed = 0; seed < 8; ++seed) {
            Stage stage;
            stage.all = all;
            Stage* pointer = &stage;
            ASSERT_EQ(run_once(seed, &one, pointer), absl::OkStatus()) << "seed " << seed;
            const End end = oracle(all);
            for (End seen : stage.seen) EXPECT_EQ(seen, end) << "seed " << seed;
            EXPECT_EQ(stage.seen.size(), awaits_of(all)) << "seed " << seed;
            if (group == Group::kCancelledBefore || cancel == Cancel::kBeforeStart) {
              EXPECT_EQ(stage.begun, 0) << "seed " << seed;
            }
            EXPECT_LE(stage.begun, 1);
            if (end == End::kError || end == End::kException) {
              EXPECT_EQ(stage.passed_wait, 1);
            }
            if (HasFailure()) return;
          }
          ++combinations;
        }
      }
    }
  }
  EXPECT_EQ(combinations, 8 * 6 * 6 * 4);
}

}  // namespace
}  // namespace fermata

// asyncio's test_taskgroups.py: groups that are closing, closed, not entered yet; cancel() of
// current CPython. Rows 45 to 47.
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

Co<void> must_not_run(Counted) {
  ADD_FAILURE() << "entered";
  co_return;
}

// Row 45, test_taskgroup_no_create_task_after_failure (adapted): asyncio raises, and closes the
// coroutine. Here spawn has no error to give: the task is there, done, as cancelled.
TEST(AsyncioTaskGroups, NoCreateTaskAfterFailure) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int tried = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int* tried) -> Co<absl::Status> {
          group.spawn(&fail_after, absl::Seconds(1), absl::StatusCode::kAborted);
          group.spawn(
              [](TaskGroup* group, int* tried) -> Co<void> {
                CancelScope scope;
                Outcome<void> outcome = co_await scope.run(sleep_an_hour());
                EXPECT_EQ(outcome.reason(), CancelReason::kSiblingFailed);
                const std::size_t size = group->size();
                Task<void> late = group->spawn(&must_not_run, Counted());
                EXPECT_TRUE(late.done());
                EXPECT_EQ(late.outcome().reason(), CancelReason::kSiblingFailed);
                EXPECT_EQ(group->size(), size);
                EXPECT_EQ(Counted::live, 0) << "dropped at once, arguments and all";
                ++*tried;
              },
              &group, tried);
          co_return absl::OkStatus();
        },
        &tried);
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    EXPECT_EQ(tried, 1);
    co_return absl::OkStatus();
  });
}

// Row 45, test_taskgroup_finished (adapted): a group whose with_group has returned is gone, like
// any object whose scope is left. What can be checked is the moment before: Hazards,
// SpawnIntoAGroupThatIsJustOverIsRefused. Here: the body has ended, a child still runs.
TEST(AsyncioTaskGroups, SpawnAfterTheBodyHasEnded) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    std::string log;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, std::string* log) -> Co<absl::Status> {
          group.spawn(
              [](TaskGroup* group, std::string* log) -> Co<void> {
                co_await sleep(absl::Seconds(1));
                EXPECT_EQ(group->size(), 1u) << "the body has ended";
                group->spawn(
                    [](std::string* log) -> Co<void> {
                      co_await sleep(absl::Seconds(1));
                      *log += "ran";
                    },
                    log);
              },
              &group, log);
          co_return absl::OkStatus();
        },
        &log);
    EXPECT_EQ(log, "ran");
    co_return status;
  });
}

// Row 45, test_taskgroup_not_entered: cannot be written. A TaskGroup exists only inside with_group,
// and can neither be made, copied nor moved elsewhere.
static_assert(!std::is_default_constructible_v<TaskGroup>);
static_assert(!std::is_copy_constructible_v<TaskGroup>);
static_assert(!std::is_move_constructible_v<TaskGroup>);

// Row 46 (same): twice, with another reason, from a child, and from outside.
TEST(AsyncioTaskGroups, CancelIsIdempotent) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Task<void> child;
    std::string log;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Task<void>* child, std::string* log) -> Co<absl::Status> {
          Leaves leaves(*log, "body");
          *child = group.spawn(&sleep_an_hour);
          group.spawn(
              [](TaskGroup* group) -> Co<void> {
                co_await sleep(absl::Seconds(1));
                group->cancel(CancelReason::kOverload);
                group->cancel(CancelReason::kShutdown);
                EXPECT_TRUE(group->cancelled());
                co_await yield_now();
                group->cancel();
                ADD_FAILURE() << "cancelled itself, and went on";
              },
              &group);
          co_await sleep(absl::Hours(1));
          co_return absl::InternalError("went on");
        },
        &child, &log);
    EXPECT_EQ(status, absl::OkStatus()) << "to be asked to end is no failure";
    EXPECT_EQ(child.outcome().reason(), CancelReason::kOverload) << "the first reason stays";
    EXPECT_EQ(log, "body ");
    co_await yield_now();  // and who awaited the group was not cancelled
    co_return absl::OkStatus();
  });
}

// Row 46: at the first line of the body, before anything was spawned: CPython's "before entry".
TEST(AsyncioTaskGroups, CancelBeforeAnythingWasSpawned) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.cancel();
      Task<void> late = group.spawn(&must_not_run, Counted());
      EXPECT_TRUE(late.done());
      co_await yield_now();
      co_return absl::InternalError("the body went on");
    });
    EXPECT_EQ(status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

// Row 46: at its last line, and by the last child in its last step: the value of what ended stays.
TEST(AsyncioTaskGroups, CancelAtTheVeryEnd) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.spawn(
          [](TaskGroup* group) -> Co<void> {
            co_await sleep(absl::Seconds(1));
            group->cancel();
          },
          &group);
      co_return absl::OkStatus();
    });
    EXPECT_EQ(status, absl::OkStatus());
    status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.cancel();
      co_return absl::AbortedError("still its own");
    });
    EXPECT_EQ(status, absl::AbortedError("still its own"));
    co_return absl::OkStatus();
  });
}

// Row 47, gh-155433 (same): the group fails; while a child cleans up, the parent is cancelled from
// outside. The group tells its error, and the cancellation acts right after it.
TEST(AsyncioTaskGroups, OutsideCancelWhileTheGroupShutsDown) {
  in_group([](TaskGroup& outer) -> Co<absl::Status> {
    int cleaned_up = 0;
    std::string log;
    Task<void> parent = outer.spawn(
        [](int* cleaned_up, std::string* log) -> Co<void> {
          absl::Status status = co_await with_group(
              [](TaskGroup& group, int* cleaned_up) -> Co<absl::Status> {
                group.spawn(&lingers, absl::Seconds(5), cleaned_up);
                group.spawn(&fail_after, absl::Seconds(1), absl::StatusCode::kAborted);
                co_return absl::OkStatus();
              },
              cleaned_up);
          *log += status.code() == absl::StatusCode::kAborted ? "aborted" : status.ToString();
          co_await yield_now();
          *log += ", swallowed the cancel";
        },
        &cleaned_up, &log);
    co_await sleep(absl::Seconds(2));
    parent.cancel();
    Outcome<void> outcome = co_await parent;
    EXPECT_EQ(log, "aborted");
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(cleaned_up, 1);
    co_return absl::OkStatus();
  });
}

// Row 47, the other order: cancelled from outside first; cancel() of the group changes nothing.
TEST(AsyncioTaskGroups, ItsOwnCancelDoesNotHideTheOneFromOutside) {
  in_group([](TaskGroup& outer) -> Co<absl::Status> {
    Task<void> parent = outer.spawn([]() -> Co<void> {
      absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
        group.spawn(
            [](TaskGroup* group) -> Co<void> {
              CancelScope scope;
              Outcome<void> outcome = co_await scope.run(sleep_an_hour());
              group->cancel();
              co_await yield_now();
            },
            &group);
        co_await sleep(absl::Hours(1));
        co_return absl::OkStatus();
      });
      ADD_FAILURE() << "the group ended as if by itself: " << status;
    });
    co_await settle();
    parent.cancel();
    Outcome<void> outcome = co_await parent;
    EXPECT_TRUE(outcome.cancelled());
    co_return absl::OkStatus();
  });
}

// Row 47, the counterpart: cancelled from outside, but nobody was cut short by it. One child had
// been cancelled before, by its handle; the rest ran to their ends. So there is a result.
TEST(AsyncioTaskGroups, AGroupThatNobodyCutShortHasAResult) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    std::string log;
    CancelScope scope(now() + absl::Seconds(2));
    Outcome<void> outcome = co_await scope.run([](std::string* log) -> Co<void> {
      absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
        Task<void> one = group.spawn(&sleep_an_hour);
        group.spawn([]() -> Co<void> { co_await shield(sleep(absl::Seconds(5))); });
        co_await sleep(absl::Seconds(1));
        one.cancel();
        co_return absl::OkStatus();
      });
      *log += status.ok() ? "a result" : status.ToString();
      co_await yield_now();
      *log += ", and went on";
    }(&log));
    EXPECT_EQ(log, "a result");
    EXPECT_TRUE(outcome.cancelled());
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

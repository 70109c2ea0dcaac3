#include "services/async/task_group.h"

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<absl::Status> wait_then(absl::Duration delay, absl::Status status, int* ended) {
  Counted counted;
  co_await sleep(delay);
  ++*ended;
  co_return status;
}

// test_taskgroups 01, 02
TEST(TaskGroup, JoinsAllChildrenAlsoThoseSpawnedMeanwhile) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& ended) -> Co<absl::Status> {
          group.spawn(
              [](TaskGroup* group, int* ended) -> Co<absl::Status> {
                co_await sleep(absl::Seconds(1));
                group->spawn(wait_then, absl::Seconds(5), absl::OkStatus(), ended);
                co_return absl::OkStatus();
              },
              &group, &ended);
          for (int i = 0; i < 3; ++i) {
            group.spawn(wait_then, absl::Seconds(i), absl::OkStatus(), &ended);
          }
          co_return absl::OkStatus();
        },
        ended);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(ended, 4);
    co_return absl::OkStatus();
  });
}

// test_taskgroup_03
TEST(TaskGroup, AChildThatWasCancelledHasNotFailed) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& ended) -> Co<absl::Status> {
          Task<void> one = group.spawn(wait_then, absl::Hours(1), absl::OkStatus(), &ended);
          group.spawn(wait_then, absl::Seconds(2), absl::OkStatus(), &ended);
          co_await sleep(absl::Seconds(1));
          one.cancel();
          co_return absl::OkStatus();
        },
        ended);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(ended, 1);
    co_return absl::OkStatus();
  });
}

// test_cancel_children_on_child_error
TEST(TaskGroup, TheFirstFailureCancelsSiblingsAndBody) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Time start = now();
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& ended) -> Co<absl::Status> {
          group.spawn(wait_then, absl::Hours(1), absl::OkStatus(), &ended);
          group.spawn(wait_then, absl::Seconds(1), absl::NotFoundError("first"), &ended);
          co_await sleep(absl::Hours(2));
          co_return absl::OkStatus();
        },
        ended);
    EXPECT_EQ(status, absl::NotFoundError("first"));
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(now() - start, absl::Seconds(1));
    co_return absl::OkStatus();
  });
}

Co<absl::Status> fails_in_clean_up(std::string why) {
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(sleep(absl::Hours(1)));
  EXPECT_EQ(outcome.reason(), CancelReason::kSiblingFailed);
  co_return absl::DataLossError(why);
}

TEST(TaskGroup, ErrorsOfOthersAreAddedToTheFirst) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.spawn(fails_in_clean_up, "second");
      co_await sleep(absl::Seconds(1));
      absl::Status first = absl::NotFoundError("first");
      first.SetPayload("fermata.dev/test", absl::Cord("kept"));
      co_return first;
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_NE(status.message().find("first; also: DATA_LOSS: second"), std::string::npos) << status;
    EXPECT_TRUE(status.GetPayload("fermata.dev/test").has_value());
    co_return absl::OkStatus();
  });
}

TEST(TaskGroup, AnExceptionIsAFailureLikeAnyOther) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.spawn([]() -> Co<void> {
        co_await sleep(absl::Seconds(1));
        throw std::runtime_error("thrown");
      });
      co_await sleep(absl::Hours(1));
      co_return absl::OkStatus();
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(status.message().find("thrown"), std::string::npos) << status;
    co_return absl::OkStatus();
  });
}

// test_cancellation, test_taskgroup_07
TEST(TaskGroup, CancelledFromOutsideItJoinsItsChildrenFirst) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    CancelScope scope(now() + absl::Seconds(1));
    Outcome<void> outcome = co_await scope.run(with_group(
        [](TaskGroup& group, std::string& log) -> Co<absl::Status> {
          Leaves body(log, "body");
          group.spawn(
              [](std::string* log) -> Co<void> {
                Leaves child(*log, "child");
                co_await shield(sleep(absl::Seconds(5)));
                co_await yield_now();
                *log += "never ";
              },
              &log);
          co_await sleep(absl::Hours(1));
          co_return absl::OkStatus();
        },
        log));
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "child body ") << "the body goes last: children may use its locals";
    co_return absl::OkStatus();
  });
}

// test_taskgroup_18, 19: an error raised while the group is cancelled is not lost.
TEST(TaskGroup, AnErrorDuringCancellationIsDelivered) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope(now() + absl::Seconds(1));
    Outcome<void> outcome = co_await scope.run(with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.spawn([]() -> Co<absl::Status> {
        CancelScope scope;
        Outcome<void> outcome = co_await scope.run(sleep(absl::Hours(1)));
        co_return absl::DataLossError("lost on the way out");
      });
      co_return absl::OkStatus();
    }));
    EXPECT_FALSE(outcome.cancelled());
    EXPECT_EQ(outcome.status(), absl::DataLossError("lost on the way out"));
    co_return absl::OkStatus();
  });
}

// test_taskgroup_no_create_task_after_failure
TEST(TaskGroup, NothingStartsInAGroupThatIsBeingCancelled) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& ended) -> Co<absl::Status> {
          group.cancel();
          Task<void> late =
              group.spawn(wait_then, absl::ZeroDuration(), absl::InternalError("ran"), &ended);
          EXPECT_TRUE(late.done());
          EXPECT_TRUE(late.outcome().cancelled());
          co_return absl::OkStatus();
        },
        ended);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(ended, 0);
    co_return absl::OkStatus();
  });
}

// TaskGroup.cancel() of CPython 3.15
TEST(TaskGroup, CancelIsIdempotentAndEndsWithoutError) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& ended) -> Co<absl::Status> {
          for (int i = 0; i < 5; ++i) {
            group.spawn(wait_then, absl::Hours(1), absl::OkStatus(), &ended);
          }
          co_await sleep(absl::Seconds(1));
          group.cancel();
          group.cancel(CancelReason::kShutdown);
          co_await sleep(absl::Hours(1));
          co_return absl::InternalError("the body goes on");
        },
        ended);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(ended, 0);
    co_return absl::OkStatus();
  });
}

// gh-155433: an outside cancel that arrives while the group is failing is not swallowed.
TEST(TaskGroup, AnOutsideCancelDuringItsOwnShutdownStillActs) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    CancelScope scope(now() + absl::Seconds(2));
    Outcome<void> outcome = co_await scope.run([](std::string* log) -> Co<absl::Status> {
      absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
        group.spawn([]() -> Co<void> { co_await shield(sleep(absl::Seconds(5))); });
        co_await sleep(absl::Seconds(1));
        co_return absl::NotFoundError("own");
      });
      *log += std::string(status.message());
      co_await yield_now();
      *log += " went on";
      co_return status;
    }(&log));
    EXPECT_EQ(log, "own");
    EXPECT_TRUE(outcome.cancelled());
    co_return absl::OkStatus();
  });
}

// test_taskgroup_13
TEST(TaskGroup, AnOuterFailureCancelsTheInnerGroup) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& outer, int& ended) -> Co<absl::Status> {
          outer.spawn(wait_then, absl::Seconds(1), absl::AbortedError("outer"), &ended);
          absl::Status inner = co_await with_group(
              [](TaskGroup& group, int& ended) -> Co<absl::Status> {
                group.spawn(wait_then, absl::Hours(1), absl::OkStatus(), &ended);
                co_return absl::OkStatus();
              },
              ended);
          co_return absl::InternalError("the inner group ended by itself");
        },
        ended);
    EXPECT_EQ(status, absl::AbortedError("outer"));
    EXPECT_EQ(ended, 1);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

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

// ---- spawn
// ---------------------------------------------------------------------------------------

Co<int> length(const std::string& text) {
  co_await sleep(absl::Seconds(1));
  co_return static_cast<int>(text.size());
}

Co<void> increment(int& n) {
  ++n;
  co_return;
}

class Counter {
 public:
  Co<absl::Status> add(int n) {
    co_await sleep(absl::Seconds(1));
    total_ += n;
    co_return absl::OkStatus();
  }
  int total() const { return total_; }

 private:
  int total_ = 0;
};

TEST(Spawn, StoresArgumentsAsTheParametersTheyAreFor) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      Task<int> from_literal = group.spawn(length, "a literal that becomes a stored std::string");
      int n = 0;
      Task<void> by_ref = group.spawn(increment, std::ref(n));
      Counter counter;
      Task<void> member = group.spawn(&Counter::add, &counter, 4);
      Outcome<int> size = co_await from_literal;
      EXPECT_EQ(size.value(), 43);
      co_await by_ref;
      EXPECT_EQ(n, 1);
      co_await member;
      EXPECT_EQ(counter.total(), 4);
      co_return absl::OkStatus();
    });
  });
}

TEST(Spawn, NamesAreKeptAndDefaultToTheFunction) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      std::string name = "connection 7";
      Task<int> named = group.spawn_named(name, length, "x");
      name = "overwritten";
      Task<int> plain = group.spawn(length, "x");
      EXPECT_EQ(named.name(), "connection 7");
      EXPECT_EQ(plain.name(), "length");
      EXPECT_LT(named.id(), plain.id());
      co_return absl::OkStatus();
    });
  });
}

TEST(Spawn, DroppingTheHandleDoesNotCancel) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& ended) -> Co<absl::Status> {
          (void)group.spawn(wait_then, absl::Seconds(1), absl::OkStatus(), &ended);
          co_return absl::OkStatus();
        },
        ended);
    EXPECT_EQ(ended, 1);
    co_return status;
  });
}

TEST(Spawn, AnyNumberOfCoroutinesMayJoin) {
  on_every_seed([]() -> Co<absl::Status> {
    int seen = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& seen) -> Co<absl::Status> {
          Task<int> task = group.spawn(length, "four");
          for (int i = 0; i < 10; ++i) {
            group.spawn(
                [](Task<int> task, int* seen) -> Co<void> {
                  const Outcome<int>& outcome = co_await task;
                  *seen += outcome.value();
                },
                task, &seen);
          }
          co_return absl::OkStatus();
        },
        seen);
    EXPECT_EQ(seen, 40);
    co_return status;
  });
}

TEST(Spawn, AnOutcomeThatCannotBeCopiedIsMovedOutOfTheHandle) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      Outcome<std::unique_ptr<int>> box = co_await group.spawn(
          []() -> Co<std::unique_ptr<int>> { co_return std::make_unique<int>(5); });
      EXPECT_EQ(**box, 5);
      co_return absl::OkStatus();
    });
  });
}

TEST(Spawn, TenThousandTasksEndWithTheirGroup) {
  EXPECT_EQ(run_once(1,
                     []() -> Co<absl::Status> {
                       int ended = 0;
                       absl::Status status = co_await with_group(
                           [](TaskGroup& group, int& ended) -> Co<absl::Status> {
                             for (int i = 0; i < 10'000; ++i) {
                               group.spawn(wait_then, absl::Milliseconds(i % 100), absl::OkStatus(),
                                           &ended);
                             }
                             co_return absl::OkStatus();
                           },
                           ended);
                       EXPECT_EQ(ended, 10'000);
                       co_return status;
                     }),
            absl::OkStatus());
}

// ---- for_each and quorum
// -------------------------------------------------------------------------

Co<absl::Status> work_on(int item, std::vector<int>& running_max) {
  ++running_max[0];
  running_max[1] = std::max(running_max[0], running_max[1]);
  co_await sleep(absl::Seconds(1));
  --running_max[0];
  if (item == 13) co_return absl::NotFoundError("13");
  co_return absl::OkStatus();
}

TEST(ForEach, CallsForEveryItemAtMostLimitAtATime) {
  on_every_seed([]() -> Co<absl::Status> {
    std::vector<int> items(10, 1);
    std::vector<int> running_max(2, 0);
    absl::Time start = now();
    absl::Status status = co_await for_each(items, 3, work_on, running_max);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(running_max[1], 3);
    EXPECT_EQ(now() - start, absl::Seconds(4));
    items.clear();
    co_return co_await for_each(items, 3, work_on, running_max);
  });
}

TEST(ForEach, TheFirstFailureEndsIt) {
  on_every_seed([]() -> Co<absl::Status> {
    std::vector<int> items{1, 2, 13, 4, 5, 6, 7, 8};
    std::vector<int> running_max(2, 0);
    absl::Time start = now();
    absl::Status status = co_await for_each(items, 1, work_on, running_max);
    EXPECT_EQ(status, absl::NotFoundError("13"));
    EXPECT_EQ(now() - start, absl::Seconds(3));
    co_return absl::OkStatus();
  });
}

Co<absl::StatusOr<int>> vote(int seconds, bool yes) {
  co_await sleep(absl::Seconds(seconds));
  if (!yes) co_return absl::UnavailableError("no vote");
  co_return seconds;
}

TEST(Quorum, GivesTheFirstSuccesses) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      // Cancelled votes have not failed; those that fail would fail the group, so a settled
      // wrapper.
      std::vector<Task<int>> votes;
      for (int i = 5; i > 0; --i) votes.push_back(group.spawn(vote, i, true));
      absl::StatusOr<std::vector<int>> first = co_await quorum(2, votes);
      EXPECT_TRUE(first.ok());
      EXPECT_EQ(*first, (std::vector<int>{1, 2}));
      votes[0].cancel();
      votes[1].cancel();
      absl::StatusOr<std::vector<int>> all = co_await quorum(4, votes);
      EXPECT_EQ(all.status().code(), absl::StatusCode::kCancelled) << all.status();
      co_return absl::OkStatus();
    });
  });
}

}  // namespace
}  // namespace fermata

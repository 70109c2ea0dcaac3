// asyncio's test_taskgroups.py: who ends with whom, and which error is told. Rows 37 to 44.
#include <stdexcept>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

Co<int> number(absl::Duration delay, int value, int* ended) {
  co_await sleep(delay);
  ++*ended;
  co_return value;
}

// Catches its cancellation, writes it down, and is cancelled at its next suspension.
Co<void> notes_cancellation(absl::Duration clean_up, int* noted) {
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(sleep_an_hour());
  if (outcome.cancelled()) ++*noted;
  co_await shield(sleep(clean_up));
  co_await yield_now();
}

// Row 37, test_taskgroup_01 and 02 (same): both children end, also when the body ended before them,
// and with children that spawn children.
TEST(AsyncioTaskGroups, Taskgroup01And02) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int ended = 0;
    Task<int> one;
    Task<int> two;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Task<int>* one, Task<int>* two, int* ended) -> Co<absl::Status> {
          *one = group.spawn(&number, absl::Milliseconds(100), 42, ended);
          *two = group.spawn(&number, absl::Milliseconds(200), 11, ended);
          co_await sleep(absl::Milliseconds(100));
          co_return absl::OkStatus();
        },
        &one, &two, &ended);
    EXPECT_EQ(one.outcome().value(), 42);
    EXPECT_EQ(two.outcome().value(), 11);
    co_return status;
  });
}

Co<void> hydra(TaskGroup* group, int* heads, int depth) {
  ++*heads;
  if (depth == 0) co_return;
  group->spawn(&hydra, group, heads, depth - 1);
  co_await yield_now();
  group->spawn(&hydra, group, heads, depth - 1);
}

// Row 37, test_taskgroup_24 to 26: a group is not over while the last child still spawns.
TEST(AsyncioTaskGroups, Taskgroup25Hydra) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int heads = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int* heads) -> Co<absl::Status> {
          group.spawn(&hydra, &group, heads, 5);
          co_return absl::OkStatus();
        },
        &heads);
    EXPECT_EQ(heads, 63);
    co_return status;
  });
}

// Row 38 (same).
TEST(AsyncioTaskGroups, Taskgroup03) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int ended = 0;
    int noted = 0;
    Task<int> two;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Task<int>* two, int* ended, int* noted) -> Co<absl::Status> {
          Task<void> one = group.spawn(&notes_cancellation, absl::Seconds(1), noted);
          *two = group.spawn(&number, absl::Milliseconds(200), 11, ended);
          co_await sleep(absl::Milliseconds(100));
          one.cancel();
          co_return absl::OkStatus();
        },
        &two, &ended, &noted);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(noted, 1);
    EXPECT_EQ(two.outcome().value(), 11);
    co_return absl::OkStatus();
  });
}

// Row 39 (adapted): the errors are one Status, the first with the messages of the others, where
// asyncio makes a group of exceptions. Siblings and body are cancelled as there.
TEST(AsyncioTaskGroups, CancelChildrenOnChildError) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    std::string log;
    int noted = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, std::string* log, int* noted) -> Co<absl::Status> {
          Leaves leaves(*log, "runner");
          for (int i = 0; i < 3; ++i) {
            group.spawn(&fail_after, absl::Milliseconds(100), absl::StatusCode::kOutOfRange);
          }
          group.spawn(&notes_cancellation, absl::ZeroDuration(), noted);
          co_await sleep(absl::Seconds(10));
          *log += "went on";
          co_return absl::OkStatus();
        },
        &log, &noted);
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(status.message().find("as asked"), 0u) << status;
    EXPECT_EQ(noted, 1);
    EXPECT_EQ(log, "runner ");
    co_return absl::OkStatus();
  });
}

// Row 39: errors beyond the eighth are counted out of the message, not piled up in it.
TEST(AsyncioTaskGroups, AThousandErrorsMakeAShortMessage) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      for (int i = 0; i < 1000; ++i) {
        group.spawn(&lingers_and_fails, absl::Milliseconds(1), absl::StatusCode::kAborted);
      }
      co_await sleep(absl::Seconds(1));
      co_return absl::DataLossError("the first");
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_LT(status.message().size(), 500u);
    co_return absl::OkStatus();
  });
}

Co<absl::Status> body_fails(TaskGroup& group, absl::Duration delay, Task<int>* one, Task<int>* two,
                            int* ended) {
  *one = group.spawn(&number, absl::Seconds(1), 42, ended);
  *two = group.spawn(&number, absl::Seconds(2), 11, ended);
  if (delay > absl::ZeroDuration()) co_await sleep(delay);
  throw std::domain_error("division by zero");
}

// Row 40, test_taskgroup_09 and 10 (same): after a suspension of the body, and before any.
TEST(AsyncioTaskGroups, Taskgroup09And10) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    for (absl::Duration delay : {absl::Milliseconds(100), absl::ZeroDuration()}) {
      int ended = 0;
      Task<int> one;
      Task<int> two;
      absl::Status status = co_await with_group(&body_fails, delay, &one, &two, &ended);
      EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
      EXPECT_NE(status.message().find("division by zero"), std::string::npos) << status;
      EXPECT_TRUE(one.outcome().cancelled());
      EXPECT_TRUE(two.outcome().cancelled());
      EXPECT_EQ(one.outcome().reason(), CancelReason::kSiblingFailed);
      EXPECT_EQ(ended, 0);
    }
    co_return absl::OkStatus();
  });
}

// Row 41, test_cancellation, test_taskgroup_07 and 17 (same): with children, and without any.
TEST(AsyncioTaskGroups, Taskgroup07And17) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    for (int children : {0, 1, 5}) {
      int noted = 0;
      std::string log;
      CancelScope scope(now() + absl::Seconds(1));
      Outcome<void> outcome = co_await scope.run(with_group(
          [](TaskGroup& group, int children, int* noted, std::string* log) -> Co<absl::Status> {
            Leaves leaves(*log, "body");
            for (int i = 0; i < children; ++i) {
              group.spawn(&notes_cancellation, absl::Seconds(i), noted);
            }
            co_await sleep(absl::Seconds(10));
            co_return absl::InternalError("went on");
          },
          children, &noted, &log));
      EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
      EXPECT_EQ(noted, children);
      EXPECT_EQ(log, "body ");
    }
    co_return absl::OkStatus();
  });
}

// Row 42, test_taskgroup_13 (same): a failure in the outer group cancels the inner one.
TEST(AsyncioTaskGroups, Taskgroup13) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    std::string log;
    absl::Status status = co_await with_group(
        [](TaskGroup& outer, std::string* log) -> Co<absl::Status> {
          outer.spawn(&fail_after, absl::Milliseconds(100), absl::StatusCode::kOutOfRange);
          absl::Status inner = co_await with_group([](TaskGroup& inner) -> Co<absl::Status> {
            inner.spawn(&fail_after, absl::Seconds(10), absl::StatusCode::kAborted);
            co_return absl::OkStatus();
          });
          *log += "the inner group reported";
          co_return inner;
        },
        &log);
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(log, "");
    co_return absl::OkStatus();
  });
}

// Row 42, test_taskgroup_14 (adapted): an error of the inner group is the value of its with_group.
// asyncio nests groups of exceptions; a Status that is passed on with Try is the same Status.
TEST(AsyncioTaskGroups, Taskgroup14) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& outer) -> Co<absl::Status> {
      outer.spawn(&fail_after, absl::Seconds(10), absl::StatusCode::kAborted);
      co_await Try(with_group([](TaskGroup& inner) -> Co<absl::Status> {
        inner.spawn(&fail_after, absl::Milliseconds(100), absl::StatusCode::kOutOfRange);
        co_return absl::OkStatus();
      }));
      co_return absl::OkStatus();
    });
    EXPECT_EQ(status, absl::OutOfRangeError("as asked"));
    co_return absl::OkStatus();
  });
}

// Row 43, test_taskgroup_15 and 16 (adapted): a child crashes while the cancelled parent is still
// cleaning up. asyncio reports the crash and forgets the cancel; ours reports the crash too, and
// the scope stays cancelled, so that whoever suspends next ends.
TEST(AsyncioTaskGroups, Taskgroup15And16) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    std::string log;
    CancelScope scope(now() + absl::Milliseconds(100));
    Outcome<void> outcome = co_await scope.run([](std::string* log) -> Co<void> {
      absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
        group.spawn([]() -> Co<absl::Status> {
          co_await shield(sleep(absl::Milliseconds(300)));
          co_return absl::OutOfRangeError("crashed");
        });
        CancelScope work;
        Outcome<void> outcome = co_await work.run(sleep(absl::Seconds(10)));
        co_await shield(sleep(absl::Milliseconds(500)));
        co_await yield_now();
        co_return absl::InternalError("went on");
      });
      *log += std::string(status.message());
      co_await yield_now();
      *log += ", went on";
    }(&log));
    EXPECT_EQ(log, "crashed");
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    co_return absl::OkStatus();
  });
}

// Row 44, test_taskgroup_18 (adapted): an error instead of the cancellation, from the body.
TEST(AsyncioTaskGroups, Taskgroup18) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    CancelScope scope(now() + absl::Milliseconds(100));
    Outcome<void> outcome = co_await scope.run(with_group([](TaskGroup&) -> Co<absl::Status> {
      co_return co_await lingers_and_fails(absl::ZeroDuration(), absl::StatusCode::kDataLoss);
    }));
    EXPECT_FALSE(outcome.cancelled());
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kDataLoss);
    co_return absl::OkStatus();
  });
}

// Row 44, test_taskgroup_19 (adapted): a crash, and the error of the body it cancelled: both told.
TEST(AsyncioTaskGroups, Taskgroup19) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    absl::Status status = co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      group.spawn(&fail_after, absl::Milliseconds(100), absl::StatusCode::kOutOfRange);
      co_return co_await lingers_and_fails(absl::ZeroDuration(), absl::StatusCode::kDataLoss);
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_NE(status.message().find("DATA_LOSS: clean-up failed"), std::string::npos) << status;
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

// Task and Future where an operation is expected: timeout, scope.run, gather, race, Try.
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<absl::StatusOr<int>> number_after(absl::Duration delay, int number) {
  co_await sleep(delay);
  if (number < 0) co_return absl::NotFoundError("negative");
  co_return number;
}

// Joins what it runs, and does not fail with it.
template <class F>
void beside_tasks(F) {
  on_every_seed([]() -> Co<absl::Status> { co_return co_await with_group(F()); });
}

TEST(Handles, ATimeoutEndsTheWaitingAndNotTheTask) {
  beside_tasks([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> task = group.spawn(&number_after, absl::Seconds(2), 7);
    absl::StatusOr<int> early = co_await timeout(absl::Seconds(1), task);
    EXPECT_EQ(early.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_FALSE(task.done());
    absl::StatusOr<int> in_time = co_await timeout(absl::Seconds(5), task);
    EXPECT_EQ(*in_time, 7);
    int again = co_await Try(timeout(absl::Seconds(5), std::move(task)));
    EXPECT_EQ(again, 7);
    co_return absl::OkStatus();
  });
}

TEST(Handles, AScopeTellsItsOwnCancellationFromTheTasks) {
  beside_tasks([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> task = group.spawn(&number_after, absl::Hours(1), 7);
    CancelScope scope(now() + absl::Seconds(1));
    Outcome<int> cut = co_await scope.run(task);
    EXPECT_TRUE(cut.cancelled());
    EXPECT_FALSE(task.done());
    task.cancel();
    CancelScope another;
    Outcome<int> ended = co_await another.run(task);
    EXPECT_FALSE(ended.cancelled()) << "the scope was not; the task was";
    EXPECT_EQ(ended.status().code(), absl::StatusCode::kCancelled);
    co_return absl::OkStatus();
  });
}

TEST(Handles, GatherTakesTasksAndFutures) {
  beside_tasks([](TaskGroup& group) -> Co<absl::Status> {
    Promise<std::string> promise;
    Task<int> task = group.spawn(&number_after, absl::Seconds(1), 7);
    group.spawn(
        [](Promise<std::string>* promise) -> Co<void> {
          co_await sleep(absl::Seconds(2));
          promise->set_value("set");
        },
        &promise);
    absl::StatusOr<std::tuple<int, std::string>> both = co_await gather(task, promise.future());
    EXPECT_EQ(*both, std::make_tuple(7, std::string("set")));
    co_return absl::OkStatus();
  });
}

TEST(Handles, GatherFailsWithATaskThatWasCancelled) {
  beside_tasks([](TaskGroup& group) -> Co<absl::Status> {
    Task<int> gone = group.spawn(&number_after, absl::Hours(1), 7);
    Task<int> fine = group.spawn(&number_after, absl::Seconds(1), 8);
    gone.cancel();
    absl::StatusOr<std::tuple<int, int>> both = co_await gather(gone, fine);
    EXPECT_EQ(both.status().code(), absl::StatusCode::kCancelled);
    EXPECT_FALSE(fine.done()) << "only the waiting for it ended";
    co_return absl::OkStatus();
  });
}

TEST(Handles, AFutureCanBeWaitedForWithALimit) {
  beside_tasks([](TaskGroup& group) -> Co<absl::Status> {
    Promise<> promise;
    Future<> future = promise.future();
    absl::Status early = co_await timeout(absl::Seconds(1), future);
    EXPECT_EQ(early.code(), absl::StatusCode::kDeadlineExceeded);
    RaceResult<absl::Status, std::monostate> first = co_await race(future, sleep(absl::Seconds(1)));
    EXPECT_EQ(first.index(), 1u);
    promise.set_value();
    co_await Try(timeout(absl::Seconds(1), future));
    co_return absl::OkStatus();
  });
}

TEST(Handles, AResultThatCannotBeCopiedIsMovedOutOfTheTask) {
  beside_tasks([](TaskGroup& group) -> Co<absl::Status> {
    Task<std::unique_ptr<int>> task =
        group.spawn([]() -> Co<std::unique_ptr<int>> { co_return std::make_unique<int>(7); });
    absl::StatusOr<std::unique_ptr<int>> seven =
        co_await timeout(absl::Seconds(1), std::move(task));
    EXPECT_EQ(**seven, 7);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

#include "services/async/gather.h"

#include <memory>
#include <string>
#include <tuple>
#include <variant>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<absl::StatusOr<int>> after(int seconds, int value) {
  Counted counted;
  co_await sleep(absl::Seconds(seconds));
  if (value < 0) co_return absl::NotFoundError("negative");
  co_return value;
}

TEST(Gather, RunsAllAtOnceAndGivesAllValues) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    absl::StatusOr<std::tuple<int, int, int>> all =
        co_await gather(after(3, 1), after(1, 2), after(2, 3));
    EXPECT_EQ(*all, std::make_tuple(1, 2, 3));
    EXPECT_EQ(now() - start, absl::Seconds(3));
    co_return absl::OkStatus();
  });
}

// test_one_exception
TEST(Gather, TheFirstErrorCancelsTheRest) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    absl::StatusOr<std::tuple<int, int>> all = co_await gather(after(100, 1), after(1, -1));
    EXPECT_EQ(all.status(), absl::NotFoundError("negative"));
    EXPECT_EQ(now() - start, absl::Seconds(1));
    co_return absl::OkStatus();
  });
}

// test_constructor_empty_sequence
TEST(Gather, OfNothingIsDone) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Status status = co_await gather();
    EXPECT_EQ(status, absl::OkStatus());
    co_return status;
  });
}

TEST(Gather, MixesValuesStatusesAndLeaves) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(1);
    absl::Status put = co_await queue.put(9);
    EXPECT_EQ(put, absl::OkStatus());
    absl::StatusOr<std::tuple<std::optional<int>, std::monostate, int>> all =
        co_await gather(queue.get(), sleep(absl::Seconds(1)), after(1, 4));
    EXPECT_EQ(*std::get<0>(*all), 9);
    EXPECT_EQ(std::get<2>(*all), 4);
    co_return absl::OkStatus();
  });
}

// test_return_exceptions
TEST(GatherSettled, GivesValuesErrorsAndCancellationsInOrder) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope(now() + absl::Seconds(5));
    std::string seen;
    std::string* out = &seen;
    Outcome<void> outcome = co_await scope.run([](std::string* out) -> Co<void> {
      std::tuple<Outcome<int>, Outcome<int>, Outcome<int>> each =
          co_await gather_settled(after(1, 1), after(2, -1), after(100, 3));
      *out += std::get<0>(each).ok() ? "value " : "? ";
      *out += std::get<1>(each).status().code() == absl::StatusCode::kNotFound ? "error " : "? ";
      *out += std::get<2>(each).reason() == CancelReason::kDeadline ? "cancelled" : "?";
    }(out));
    EXPECT_EQ(seen, "value error cancelled");
    EXPECT_TRUE(outcome.ok()) << "it ended before its next suspension";
    co_return absl::OkStatus();
  });
}

// test_cancellation_broadcast
TEST(Gather, CancelledFromOutsideItCancelsAll) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope(now() + absl::Seconds(1));
    auto outcome = co_await scope.run(gather(after(100, 1), after(100, 2)));
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    co_return absl::OkStatus();
  });
}

// test_cancel_gather_1: once all are done a cancel loses.
TEST(Gather, AResultThatIsCompleteWinsOverACancel) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope(now() + absl::Seconds(1));
    auto outcome = co_await scope.run(gather(after(1, 1), after(1, 2)));
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    co_return absl::OkStatus();
  });
}

TEST(Race, GivesTheFirstAndCancelsTheOthers) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    std::variant<absl::StatusOr<int>, std::monostate, absl::StatusOr<int>> first =
        co_await race(after(3, 3), sleep(absl::Hours(1)), after(1, -1));
    EXPECT_EQ(first.index(), 2u);
    EXPECT_EQ(std::get<2>(first).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(now() - start, absl::Seconds(1));
    co_return absl::OkStatus();
  });
}

TEST(Race, WaitsUntilTheLosersHaveLetGo) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    std::variant<std::monostate, std::monostate> first =
        co_await race(sleep(absl::Seconds(1)), shield(sleep(absl::Seconds(4))));
    EXPECT_EQ(first.index(), 0u);
    EXPECT_EQ(now() - start, absl::Seconds(4));
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

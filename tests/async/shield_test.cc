#include "services/async/shield.h"

#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<void> with_clean_up(std::string* log) {
  CancelScope work;
  Outcome<void> outcome = co_await work.run(sleep(absl::Hours(1)));
  *log += outcome.cancelled() ? "cancelled " : "? ";
  co_await shield(sleep(absl::Seconds(3)));
  *log += "cleaned ";
  co_await yield_now();
  *log += "never ";
}

// test_shield_cancel_outer, test_shield_effect
TEST(Shield, RunsToItsEndAndThenTheCancellationActs) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string log;
    absl::Time start = now();
    CancelScope scope(start + absl::Seconds(1));
    Outcome<void> outcome = co_await scope.run(with_clean_up(&log));
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "cancelled cleaned ");
    EXPECT_EQ(now() - start, absl::Seconds(4));
    co_return absl::OkStatus();
  });
}

Co<absl::StatusOr<int>> slow_number() {
  co_await sleep(absl::Seconds(3));
  co_return 7;
}

TEST(Shield, HoldsATimeoutUntilTheBodyHasEnded) {
  on_every_seed([]() -> Co<absl::Status> {
    absl::Time start = now();
    absl::StatusOr<int> result = co_await timeout(absl::Seconds(1), shield(slow_number()));
    EXPECT_EQ(now() - start, absl::Seconds(3));
    EXPECT_TRUE(result.ok()) << "the shield's result was there before anything was cancelled";
    co_return absl::OkStatus();
  });
}

// test_gather_shield, test_shield_gather
TEST(Shield, KeepsAGatherAlive) {
  on_every_seed([]() -> Co<absl::Status> {
    CancelScope scope(now() + absl::Seconds(1));
    int done = 0;
    int* count = &done;
    Outcome<void> outcome = co_await scope.run([](int* count) -> Co<void> {
      absl::StatusOr<std::tuple<int, int>> both =
          co_await shield(gather(slow_number(), slow_number()));
      *count = both.ok() ? 2 : 0;
      std::tuple<Outcome<int>, Outcome<void>> each =
          co_await gather_settled(shield(slow_number()), sleep(absl::Seconds(1)));
      *count += std::get<0>(each).ok() ? 1 : 0;
      EXPECT_TRUE(std::get<1>(each).cancelled());
    }(count));
    EXPECT_TRUE(outcome.ok() || outcome.cancelled());
    EXPECT_EQ(done, 2) << "a gather begun in a cancelled scope starts nothing, shielded or not";
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

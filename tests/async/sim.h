// Running scenarios on simulated loops: every seed, and cancelled at every point.
//
// A scenario is a coroutine function without arguments. Whatever happens to it, when the loop is
// gone every frame and task block must have been given back.
#ifndef TESTS_ASYNC_SIM_H_
#define TESTS_ASYNC_SIM_H_

#include <cstdint>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/async.h"

namespace fermata {

inline constexpr std::uint64_t kSeeds = 40;

// Counts itself: what a cancelled coroutine must have destroyed.
class Counted {
 public:
  Counted() { ++live; }
  Counted(const Counted&) { ++live; }
  Counted(Counted&&) noexcept { ++live; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --live; }
  static inline int live = 0;
};

// Appends to a log when it is destroyed.
class Leaves {
 public:
  Leaves(std::string& log, std::string name) : log_(log), name_(std::move(name)) {}
  Leaves(const Leaves&) = delete;
  ~Leaves() { log_ += name_ + " "; }

 private:
  std::string& log_;
  std::string name_;
};

template <class F, class... A>
absl::Status run_once(std::uint64_t seed, F scenario, A&... args) {
  const std::int64_t before = frame_pool_stats().live;
  absl::Status status;
  {
    SimLoop loop(seed);
    status = loop.run(scenario, args...);
  }
  EXPECT_EQ(frame_pool_stats().live, before) << "frames leaked; seed " << seed;
  EXPECT_EQ(Counted::live, 0) << "objects leaked; seed " << seed;
  return status;
}

template <class F, class... A>
void on_every_seed(F scenario, A&... args) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_EQ(run_once(seed, scenario, args...), absl::OkStatus());
    if (::testing::Test::HasFailure()) return;
  }
}

template <class F>
Co<absl::Status> run_in_scope(CancelScope& scope, F scenario) {
  Outcome<void> outcome = co_await scope.run(scenario());
  co_return outcome.cancelled() ? absl::OkStatus() : outcome.status();
}

// Cancels the scenario before its first turn, before its second, …, until it is over before that;
// returns how many points there were. `after` is called after each.
template <class F, class After>
std::uint64_t cancel_at_every_turn(F scenario, After after, std::uint64_t seeds = 8) {
  std::uint64_t points = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    for (std::uint64_t turn = 0;; ++turn) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", cancelled at turn " + std::to_string(turn));
      const std::int64_t before = frame_pool_stats().live;
      bool over = false;
      {
        SimLoop loop(seed);
        CancelScope scope;
        loop.at_turn(turn, [&scope] { scope.cancel(); });
        EXPECT_EQ(loop.run(run_in_scope<F>, scope, scenario), absl::OkStatus());
        over = !loop.hook_called();
      }
      EXPECT_EQ(frame_pool_stats().live, before) << "frames leaked";
      EXPECT_EQ(Counted::live, 0) << "objects leaked";
      after();
      if (::testing::Test::HasFailure()) return points;
      ++points;
      if (over) break;
    }
  }
  return points;
}

}  // namespace fermata

#endif  // TESTS_ASYNC_SIM_H_

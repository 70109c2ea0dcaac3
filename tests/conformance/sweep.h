// Cancelled at every turn, with what is cancelled kept in sight.
//
//   sweep<State>("Lock", 200, &scenario, &check);
//
// State lives outside the scope that is cancelled: first `scenario(&state)` runs in it, cut short
// before its first turn, before its second, …, on many seeds, until it ends by itself. Each time
// `check(&state)` looks, on the same loop, whether the primitives in State are as they must be:
// nothing lost, nothing invented, nobody waiting. Prints how many points there were, and fails if
// they are fewer than were written down when the sweep was written: a sweep may not shrink unseen.
#ifndef TESTS_CONFORMANCE_SWEEP_H_
#define TESTS_CONFORMANCE_SWEEP_H_

#include <cstdint>
#include <iostream>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {

inline constexpr std::uint64_t kSweepSeeds = 40;

template <class State>
using Scenario = Co<absl::Status> (*)(State*);
template <class State>
using Check = Co<void> (*)(State*);

template <class State>
Co<absl::Status> run_swept(CancelScope& scope, bool& running, State& state,
                           Scenario<State> scenario, Check<State> check) {
  running = true;
  Outcome<void> outcome = co_await scope.run(scenario(&state));
  running = false;
  // A scenario may turn the cancellation into an error; without one it has none.
  EXPECT_TRUE(scope.cancelled() || outcome.ok()) << outcome.status();
  EXPECT_EQ(Loop::current().stats().timers, 0u) << "a timer was left behind";
  EXPECT_EQ(Loop::current().stats().live_tasks, 1u) << "a task was left behind";
  co_await check(&state);
  co_return absl::OkStatus();
}

template <class State>
void sweep(const std::string& name, std::uint64_t least, Scenario<State> scenario,
           Check<State> check) {
  std::uint64_t points = 0;
  for (std::uint64_t seed = 0; seed < kSweepSeeds; ++seed) {
    bool cut = true;
    for (std::uint64_t turn = 0; cut; ++turn) {
      SCOPED_TRACE(name + ", seed " + std::to_string(seed) + ", turn " + std::to_string(turn));
      const std::int64_t before = frame_pool_stats().live;
      cut = false;
      {
        SimLoop loop(seed);
        CancelScope scope;
        bool running = false;
        State state;
        loop.at_turn(turn, [&] {
          cut = running || turn == 0;
          scope.cancel();
        });
        EXPECT_EQ(loop.run(&run_swept<State>, scope, running, state, scenario, check),
                  absl::OkStatus());
      }
      EXPECT_EQ(frame_pool_stats().live, before) << "frames leaked";
      EXPECT_EQ(Counted::live, 0) << "objects leaked";
      if (::testing::Test::HasFailure()) return;
      points += cut ? 1 : 0;
    }
  }
  std::cout << "[   points ] " << name << ": cancelled at " << points << " points\n";
  EXPECT_GE(points, least) << name << " is swept at fewer points than when it was written";
}

}  // namespace fermata

#endif  // TESTS_CONFORMANCE_SWEEP_H_

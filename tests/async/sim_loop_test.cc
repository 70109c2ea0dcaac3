// The simulated loop itself: late timers, time that passes, buggify().
#include "services/async/sim_loop.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<absl::Status> sleep_often(std::vector<std::int64_t>* late_ns) {
  for (int i = 0; i < 100; ++i) {
    const std::int64_t start = Loop::current().now_ns();
    co_await sleep(absl::Milliseconds(10));
    late_ns->push_back(Loop::current().now_ns() - start - 10'000'000);
  }
  co_return absl::OkStatus();
}

TEST(SimLoop, TimeIsExactUnlessAskedOtherwise) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimLoop loop(seed);
    std::vector<std::int64_t> late_ns;
    ASSERT_EQ(loop.run(sleep_often, &late_ns), absl::OkStatus());
    for (const std::int64_t late : late_ns) ASSERT_EQ(late, 0) << "seed " << seed;
  }
}

TEST(SimLoop, SeedZeroIsExactEvenIfAskedOtherwise) {
  SimLoop loop(0, SimOptions::hostile());
  std::vector<std::int64_t> late_ns;
  ASSERT_EQ(loop.run(sleep_often, &late_ns), absl::OkStatus());
  for (const std::int64_t late : late_ns) ASSERT_EQ(late, 0);
}

TEST(SimLoop, LateTimersAreMostlyALittleLateAndRarelyVery) {
  SimOptions options;
  options.late_percent = 25;
  int late = 0, very_late = 0, all = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimLoop loop(seed, options);
    std::vector<std::int64_t> late_ns;
    ASSERT_EQ(loop.run(sleep_often, &late_ns), absl::OkStatus());
    for (const std::int64_t ns : late_ns) {
      ASSERT_GE(ns, 0) << "a timer fired early, seed " << seed;
      ASSERT_LE(ns, absl::ToInt64Nanoseconds(options.latest));
      ++all;
      if (ns > 0) ++late;
      if (ns > 1'000'000'000) ++very_late;
    }
  }
  EXPECT_GT(late, all / 10);
  EXPECT_LT(late, all / 3);
  EXPECT_GT(very_late, 0);
  EXPECT_LT(very_late, late / 5);
}

// A task that never waits for anything but its turn cannot keep a timeout from ending another.
TEST(SimLoop, TimersFireWhileTasksAreReady) {
  SimOptions options;
  options.turn_time = absl::Milliseconds(1);
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimLoop loop(seed, options);
    bool stop = false;
    const absl::Status status = loop.run(
        [](bool* stop) -> Co<absl::Status> {
          co_return co_await with_group(
              [](TaskGroup& group, bool* stop) -> Co<absl::Status> {
                group.spawn(
                    [](bool* stop) -> Co<absl::Status> {
                      int turns = 0;
                      while (!*stop) {
                        if (++turns > 100000)
                          co_return absl::InternalError("the timer was starved");
                        co_await yield_now();
                      }
                      co_return absl::OkStatus();
                    },
                    stop);
                co_await sleep(absl::Milliseconds(20));
                *stop = true;
                co_return absl::OkStatus();
              },
              stop);
        },
        &stop);
    ASSERT_EQ(status, absl::OkStatus()) << "seed " << seed;
  }
}

// Twelve places; which of them fired in 200 rounds.
Co<absl::Status> visit_places(std::string* fired) {
  std::vector<int> counts(12);
  for (int round = 0; round < 200; ++round) {
    for (int place = 0; place < 12; ++place) {
      if (buggify("somewhere.cc", place)) ++counts[static_cast<std::size_t>(place)];
    }
  }
  for (const int count : counts) {
    *fired += count == 0 ? '-' : 'x';
    // In use, it fires now and then, not always.
    if (count != 0) {
      EXPECT_GT(count, 20);
      EXPECT_LT(count, 100);
    }
  }
  co_return absl::OkStatus();
}

TEST(Buggify, EveryRunUsesOtherPlacesAndASeedAlwaysTheSame) {
  std::set<std::string> runs;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    std::string first, second;
    EXPECT_EQ(SimLoop(seed, SimOptions::hostile()).run(visit_places, &first), absl::OkStatus());
    EXPECT_EQ(SimLoop(seed, SimOptions::hostile()).run(visit_places, &second), absl::OkStatus());
    EXPECT_EQ(first, second);
    runs.insert(first);
  }
  EXPECT_GT(runs.size(), kSeeds / 2);
}

TEST(Buggify, NeverFiresOutsideOfASimulationThatAsks) {
  std::string fired;
  EXPECT_EQ(SimLoop(7).run(visit_places, &fired), absl::OkStatus());
  EXPECT_EQ(EpollLoop().run(visit_places, &fired), absl::OkStatus());
  EXPECT_EQ(SimLoop(7, SimOptions::hostile()).run(visit_places, &fired), absl::OkStatus());
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(buggify()) << "after the run";
  EXPECT_EQ(fired.substr(0, 24), std::string(24, '-'));
}

}  // namespace
}  // namespace fermata

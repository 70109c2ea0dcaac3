// The whole daemon but its edges, under crashes and disk faults, many seeds. A failing seed prints
// the line that plays it again. FERMATA_SEEDS and FERMATA_FROM choose others; tests/simulation/run
// sets them.
#include "tests/simulation/simulation.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace fermata::simulation {
namespace {

uint64_t number(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t value = otherwise;
  if (text != nullptr && !absl::SimpleAtoi(text, &value)) {
    ADD_FAILURE() << name << " is not a number: " << text;
  }
  return value;
}

TEST(Simulation, NothingAcknowledgedIsLostAndNothingEndsTwice) {
  const uint64_t from = number("FERMATA_FROM", 0);
  const uint64_t seeds = number("FERMATA_SEEDS", 300);
  int lives = 0;
  int jobs = 0;
  int lost = 0;
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const SimulationResult result = simulate(seed, faults_of(seed), disk_of(seed));
    lives += result.lives;
    jobs += result.jobs;
    lost += result.lost;
    ASSERT_TRUE(result.violations.empty())
        << "seed " << seed << ":\n  " << absl::StrJoin(result.violations, "\n  ")
        << "\nagain: tests/simulation/run --from " << seed << " --seeds 1";
  }
  std::printf(
      "%d jobs, %d of them lost in a stage that may not begin twice, in %d lives of %d daemons\n",
      jobs, lost, lives, static_cast<int>(seeds));
  EXPECT_GT(lives, static_cast<int>(seeds));
  if (seeds >= 100) EXPECT_GT(lost, 0);
}

TEST(Simulation, ASeedDoesTheSameEveryTime) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const SimulationResult once = simulate(seed, faults_of(seed), disk_of(seed));
    EXPECT_EQ(once.trace, simulate(seed, faults_of(seed), disk_of(seed)).trace);
    EXPECT_FALSE(once.trace.empty());
  }
}

// The checker sees what a skipped sync does.
TEST(Simulation, AStoreThatAnswersBeforeItHasWrittenIsFoundOut) {
  int found = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    StoreFaults faults;
    faults.lies = true;
    found += simulate(seed, faults, DiskKind::kModel).violations.empty() ? 0 : 1;
  }
  EXPECT_GT(found, 20);
}

}  // namespace
}  // namespace fermata::simulation

// Random programs over the combinators: what the core does must be what the model says, moment by
// moment. A failing program prints one line that runs it alone:
//
//   FERMATA_PROGRAM=<number> <this test>
#include "tests/conformance/program.h"

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"

namespace fermata {
namespace {

constexpr std::uint64_t kPrograms = 6000;
constexpr std::uint64_t kLoopSeeds = 3;  // for each program: in order, and two shuffles

// True if the program was used.
bool check(std::uint64_t number) {
  const Program program = random_program(number);
  Result expected;
  if (!predict(program, expected)) return false;
  for (std::uint64_t i = 0; i < kLoopSeeds; ++i) {
    const std::uint64_t loop_seed = i == 0 ? 0 : number * kLoopSeeds + i;
    const std::int64_t before = frame_pool_stats().live;
    const Result got = execute(program, loop_seed);
    EXPECT_EQ(frame_pool_stats().live, before) << "frames leaked";
    EXPECT_TRUE(got.end == expected.end && got.log == expected.log)
        << "replay with FERMATA_PROGRAM=" << number << " (loop seed " << loop_seed << ")\n"
        << to_text(program) << "\nexpected " << to_text(expected) << "got " << to_text(got);
    if (::testing::Test::HasFailure()) break;
  }
  return true;
}

TEST(RandomPrograms, DoWhatThePlainModelSays) {
  if (const char* chosen = std::getenv("FERMATA_PROGRAM")) {
    EXPECT_TRUE(check(std::strtoull(chosen, nullptr, 10))) << "the model does not decide this one";
    return;
  }
  std::uint64_t used = 0;
  for (std::uint64_t number = 1; number <= kPrograms; ++number) {
    if (check(number)) ++used;
    if (HasFailure()) return;
  }
  RecordProperty("programs", std::to_string(used));
  EXPECT_GT(used, kPrograms * 9 / 10) << "too many programs are ambiguous";
}

// The model itself: if it were blind, agreement would mean nothing.
TEST(RandomPrograms, CoverEveryCombinatorAndEveryWayToEnd) {
  int kinds[11] = {};
  int ends[3] = {};
  for (std::uint64_t number = 1; number <= 1000; ++number) {
    const Program program = random_program(number);
    for (const Node& node : program.nodes) ++kinds[static_cast<int>(node.kind)];
    Result expected;
    if (predict(program, expected)) ++ends[static_cast<int>(expected.end.kind)];
  }
  for (const int count : kinds) EXPECT_GT(count, 50);
  for (const int count : ends) EXPECT_GT(count, 50);
}

}  // namespace
}  // namespace fermata

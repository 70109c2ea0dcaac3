// A build that is no test of the test rigs has no bug planted.
#include "services/config/planted_bug.h"

#include "gtest/gtest.h"

namespace fermata {
namespace {

static_assert(!planted(PlantedBug::kSkipSync));

TEST(PlantedBug, ThisBuildHasNone) { EXPECT_EQ(kPlantedBug, PlantedBug::kNone); }

}  // namespace
}  // namespace fermata

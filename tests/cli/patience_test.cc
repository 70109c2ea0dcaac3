#include "services/cli/patience.h"

#include "gtest/gtest.h"

namespace fermata::cli {
namespace {

TEST(Patience, CountsFromTheLossAndNotFromTheLastWord) {
  const absl::Time start = absl::UnixEpoch();
  Patience patience(absl::Seconds(15));
  patience.heard();
  // An hour of silence is no loss.
  const absl::Time lost = start + absl::Hours(1);
  EXPECT_EQ(patience.lost(lost), lost + absl::Seconds(15));
  EXPECT_EQ(patience.lost(lost + absl::Seconds(9)), lost + absl::Seconds(15));
  patience.heard();
  const absl::Time again = lost + absl::Minutes(1);
  EXPECT_EQ(patience.lost(again), again + absl::Seconds(15));
}

}  // namespace
}  // namespace fermata::cli

#include "services/engine/job_ids.h"

#include <random>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace fermata {
namespace {

TEST(JobIds, AreUuidsOfVersionSevenWithTheirTime) {
  std::mt19937_64 random(1);
  JobIds ids(random);
  const std::string id = ids.next(absl::FromUnixMillis(0x0123456789ab));
  ASSERT_EQ(id.size(), 36u);
  EXPECT_EQ(id.substr(0, 15), "01234567-89ab-7");
  EXPECT_EQ(id[18], '-');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
  EXPECT_EQ(id[23], '-');
}

TEST(JobIds, AscendWithinOneMillisecondAndBeyondItsRoom) {
  std::mt19937_64 random(2);
  JobIds ids(random);
  std::string last;
  for (int i = 0; i < 10000; ++i) {
    const std::string id = ids.next(absl::FromUnixMillis(5));
    ASSERT_LT(last, id);
    last = id;
  }
}

TEST(JobIds, AscendWhenTheClockGoesBack) {
  std::mt19937_64 random(3);
  JobIds ids(random);
  const std::string later = ids.next(absl::FromUnixMillis(1000));
  EXPECT_LT(later, ids.next(absl::FromUnixMillis(10)));
}

}  // namespace
}  // namespace fermata

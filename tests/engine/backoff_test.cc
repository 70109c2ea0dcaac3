#include "services/engine/backoff.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"

namespace fermata {
namespace {

TEST(Backoff, WithoutJitterDoublesUpToTheMaximum) {
  std::mt19937_64 random(1);
  RetryPolicy policy;
  policy.initial = absl::Seconds(1);
  policy.factor = 2;
  policy.max = absl::Seconds(5);
  policy.jitter = Jitter::kNone;
  EXPECT_EQ(backoff(policy, 1, absl::ZeroDuration(), random), absl::Seconds(1));
  EXPECT_EQ(backoff(policy, 2, absl::ZeroDuration(), random), absl::Seconds(2));
  EXPECT_EQ(backoff(policy, 3, absl::ZeroDuration(), random), absl::Seconds(4));
  EXPECT_EQ(backoff(policy, 4, absl::ZeroDuration(), random), absl::Seconds(5));
  EXPECT_EQ(backoff(policy, 5000, absl::ZeroDuration(), random), absl::Seconds(5));
}

TEST(Backoff, FullJitterDrawsFromZeroToTheCap) {
  std::mt19937_64 random(2);
  RetryPolicy policy;
  policy.initial = absl::Seconds(1);
  absl::Duration least = absl::InfiniteDuration(), most = absl::ZeroDuration();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration wait = backoff(policy, 2, absl::ZeroDuration(), random);
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_LT(least, absl::Milliseconds(100));
  EXPECT_GT(most, absl::Milliseconds(1900));
  EXPECT_LE(most, absl::Seconds(2));
}

TEST(Backoff, IsNeverShorterThanTheDependencyAskedFor) {
  std::mt19937_64 random(3);
  const RetryPolicy policy;
  for (int i = 0; i < 100; ++i) {
    EXPECT_GE(backoff(policy, 1, absl::Seconds(7), random), absl::Seconds(7));
  }
}

}  // namespace
}  // namespace fermata

#include "services/stages/isolated/restart_policy.h"

#include <algorithm>

#include "absl/random/random.h"
#include "gtest/gtest.h"

namespace fermata {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(RestartPolicy, WaitsLongerAfterEachCrashAndNeverMoreThanItsCap) {
  absl::BitGen random;
  for (int seed = 0; seed < 200; ++seed) {
    RestartPolicy policy;
    int64_t now = 0;
    for (int n = 1; n <= 12; ++n) {
      policy.started(now);
      const RestartPolicy::Verdict verdict = policy.crashed(now, random);
      ASSERT_FALSE(verdict.breaker_open) << n;
      ASSERT_GE(verdict.wait_ns, 0);
      ASSERT_LE(verdict.wait_ns, std::min(RestartPolicy::kLongestNs, RestartPolicy::kFirstNs << n));
      now += 20 * kSecond;  // too slow to be a loop
    }
  }
}

TEST(RestartPolicy, AMinuteOfHealthStartsTheRowAnew) {
  absl::BitGen random;
  RestartPolicy policy;
  int64_t now = 0;
  for (int n = 0; n < 10; ++n) {
    policy.started(now);
    now += RestartPolicy::kHealthyNs;
    EXPECT_LE(policy.crashed(now, random).wait_ns, 2 * RestartPolicy::kFirstNs);
  }
}

TEST(RestartPolicy, TheFifthCrashWithinAMinuteOpensTheBreaker) {
  absl::BitGen random;
  RestartPolicy policy;
  for (int n = 0; n < 4; ++n) EXPECT_FALSE(policy.crashed(n * kSecond, random).breaker_open) << n;
  const RestartPolicy::Verdict fifth = policy.crashed(5 * kSecond, random);
  EXPECT_TRUE(fifth.breaker_open);
  EXPECT_EQ(fifth.wait_ns, RestartLimits().open_ns);
}

TEST(RestartPolicy, OnTrialOneCrashOpensItAgainForTwiceAsLong) {
  absl::BitGen random;
  RestartPolicy policy;
  for (int n = 0; n < 5; ++n) policy.crashed(n, random);
  int64_t now = 100 * kSecond;
  int64_t open_ns = RestartLimits().open_ns;
  for (int n = 0; n < 10; ++n) {
    policy.started(now);
    const RestartPolicy::Verdict verdict = policy.crashed(now + kSecond, random);
    EXPECT_TRUE(verdict.breaker_open);
    open_ns = std::min(2 * open_ns, RestartPolicy::kOpenLongestNs);
    EXPECT_EQ(verdict.wait_ns, open_ns);
    now += 1000 * kSecond;
  }
}

TEST(RestartPolicy, TrialsThatAllFailDisableItAndOneGoodCallCountsAnew) {
  absl::BitGen random;
  RestartPolicy policy;
  int64_t now = 0;
  for (int n = 0; n < 4; ++n) policy.crashed(now, random);
  const auto openings_until_disabled = [&] {
    for (int n = 1; n < 100; ++n) {
      policy.started(now);
      if (policy.crashed(now, random).disabled) return n;
      now += 700 * kSecond;
    }
    return 100;
  };
  EXPECT_EQ(openings_until_disabled(), RestartLimits().openings_max);
  policy.proved_good();
  for (int n = 0; n < 4; ++n) EXPECT_FALSE(policy.crashed(now, random).disabled);
  EXPECT_EQ(openings_until_disabled(), RestartLimits().openings_max);
}

TEST(RestartPolicy, ACallThatEndsWellEndsTheTrial) {
  absl::BitGen random;
  RestartPolicy policy;
  for (int n = 0; n < 5; ++n) policy.crashed(n, random);
  policy.started(100 * kSecond);
  policy.proved_good();
  EXPECT_FALSE(policy.crashed(101 * kSecond, random).breaker_open);
}

}  // namespace
}  // namespace fermata

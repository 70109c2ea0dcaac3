// How many calls, and how many bytes.
#include "services/frontend/call_quota.h"

#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

void expect_refused(CallQuota& quota, bool watcher, size_t bytes, const std::string& reason) {
  const absl::StatusOr<CallLease> lease = quota.admit(watcher, bytes);
  ASSERT_TRUE(absl::IsResourceExhausted(lease.status())) << lease.status();
  const ErrorDetail detail = *detail_of(lease.status());
  EXPECT_EQ(detail.reason, reason);
  EXPECT_TRUE(detail.retry_delay.has_value());
  ASSERT_EQ(detail.quotas.size(), 1u);
}

TEST(CallQuota, TheLastCallThatFitsIsTakenTheNextIsNot) {
  CallQuota quota({.calls = 2, .watchers = 2, .bytes = 1000});
  std::vector<CallLease> held;
  for (int i = 0; i < 2; ++i) held.push_back(*quota.admit(false, 1));
  expect_refused(quota, false, 1, "TOO_MANY_CALLS");
  EXPECT_EQ(quota.calls(), 2);
  held.pop_back();
  EXPECT_TRUE(quota.admit(false, 1).ok());
}

TEST(CallQuota, WatchersHaveALimitOfTheirOwn) {
  CallQuota quota({.calls = 10, .watchers = 1, .bytes = 1000});
  const CallLease held = *quota.admit(true, 1);
  expect_refused(quota, true, 1, "TOO_MANY_WATCHERS");
  EXPECT_TRUE(quota.admit(false, 1).ok());
}

TEST(CallQuota, OnePrincipalCannotTakeWhatIsThereForAll) {
  CallQuota quota(
      {.calls = 10, .watchers = 10, .bytes = 1000, .principal_calls = 2, .principal_watchers = 1});
  std::vector<CallLease> held;
  held.push_back(*quota.admit(true, 1, "a"));
  EXPECT_TRUE(absl::IsResourceExhausted(quota.admit(true, 1, "a").status()));
  held.push_back(*quota.admit(false, 1, "a"));
  const absl::StatusOr<CallLease> third = quota.admit(false, 1, "a");
  ASSERT_TRUE(absl::IsResourceExhausted(third.status())) << third.status();
  EXPECT_NE(third.status().message().find("limits.principal_calls"), absl::string_view::npos);
  EXPECT_TRUE(quota.admit(true, 1, "b").ok());
  EXPECT_TRUE(quota.admit(true, 1).ok());
  held.clear();
  EXPECT_TRUE(quota.admit(true, 1, "a").ok());
  EXPECT_EQ(quota.calls(), 0);
}

TEST(CallQuota, BytesAreGivenBackWhenTheyAreNoLongerHeld) {
  CallQuota quota({.calls = 10, .watchers = 1, .bytes = 100});
  CallLease first = *quota.admit(false, 90);
  expect_refused(quota, false, 20, "TOO_MANY_CALL_BYTES");
  first.hold(10);
  EXPECT_EQ(quota.bytes(), 10);
  EXPECT_TRUE(quota.admit(false, 20).ok());
  first.hold(200);  // an answer is there already: counted, not refused
  expect_refused(quota, false, 1, "TOO_MANY_CALL_BYTES");
}

TEST(CallQuota, ALargeAnswerThatFindsNoRoomIsNotHeldASmallOneAlwaysIs) {
  CallQuota quota({.calls = 10, .watchers = 1, .bytes = 300'000});
  CallLease first = *quota.admit(false, 1);
  CallLease second = *quota.admit(false, 1);
  EXPECT_TRUE(first.take_answer(200'000).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(second.take_answer(200'000)));
  EXPECT_EQ(quota.bytes(), 200'000);
  first.hold(400'000);
  EXPECT_TRUE(second.take_answer(CallLease::kSmallAnswer).ok());
}

TEST(CallQuota, ACallThatIsAloneIsTakenWhateverItsSize) {
  CallQuota quota({.calls = 10, .watchers = 1, .bytes = 100});
  EXPECT_TRUE(quota.admit(false, 5000).ok());
}

TEST(CallQuota, EverythingIsGivenBackInTheEndAlsoByRefusals) {
  CallQuota quota({.calls = 3, .watchers = 1, .bytes = 100});
  {
    std::optional<CallLease> moved;
    CallLease watcher = *quota.admit(true, 60);
    moved.emplace(std::move(watcher));
    for (int i = 0; i < 10; ++i) {
      EXPECT_FALSE(quota.admit(true, 1).ok());
      EXPECT_FALSE(quota.admit(false, 50).ok());
    }
  }
  EXPECT_EQ(quota.calls(), 0);
  EXPECT_EQ(quota.watchers(), 0);
  EXPECT_EQ(quota.bytes(), 0);
}

}  // namespace
}  // namespace fermata::frontend

#include "services/engine/attempt_policy.h"

#include "absl/random/random.h"
#include "gtest/gtest.h"

namespace fermata {
namespace {

class AttemptPolicies : public testing::Test {
 public:
  AttemptPolicy::Verdict after(const StageOutcome& outcome, int attempts = 1) {
    return policy.after(outcome, attempts, now, random);
  }
  static StageOutcome ended(bool retryable) {
    StageOutcome outcome;
    outcome.status = absl::UnavailableError("down");
    outcome.retryable = retryable;
    return outcome;
  }
  static StageOutcome lost(bool guilty, bool idempotent) {
    StageOutcome outcome = ended(idempotent);
    outcome.lost = true;
    outcome.bystander = !guilty;
    outcome.preempted = !guilty && idempotent;
    return outcome;
  }

  absl::BitGen random;
  RetryPolicy retry;
  int strikes = 0;
  const absl::Time now = absl::UnixEpoch();
  AttemptPolicy policy{retry, IfLost::kByStage, now + absl::Minutes(1), strikes};
  AttemptPolicy runs_again{retry, IfLost::kRetry, now + absl::Minutes(1), strikes};
  AttemptPolicy runs_once{retry, IfLost::kFail, now + absl::Minutes(1), strikes};
};

TEST_F(AttemptPolicies, AStagesOwnErrorFollowsThePipelinesPolicy) {
  retry.attempts = 2;
  EXPECT_TRUE(after(ended(true), 1).again);
  EXPECT_FALSE(after(ended(true), 2).again);
  EXPECT_FALSE(after(ended(false), 1).again);
  EXPECT_EQ(strikes, 0);
}

TEST_F(AttemptPolicies, ABystanderIsRunAgainAtOnceAndFree) {
  retry.attempts = 1;
  const AttemptPolicy::Verdict verdict = after(lost(/*guilty=*/false, /*idempotent=*/true));
  EXPECT_TRUE(verdict.again && verdict.free);
  EXPECT_EQ(verdict.delay, absl::ZeroDuration());
  EXPECT_EQ(strikes, 0);
}

TEST_F(AttemptPolicies, ABystanderOfCrashesWithoutEndIsChargedAtLast) {
  retry.attempts = 1;
  for (int i = 0; i < AttemptPolicy::kSparedMax; ++i) EXPECT_TRUE(after(lost(false, true)).again);
  EXPECT_FALSE(after(lost(false, true)).again);
}

TEST_F(AttemptPolicies, WhoseProcessIsNotThereWaitsForItFree) {
  StageOutcome outcome = ended(true);
  outcome.preempted = true;
  outcome.retry_after = absl::Seconds(30);
  for (int i = 0; i < 1000; ++i) {
    const AttemptPolicy::Verdict verdict = after(outcome);
    EXPECT_TRUE(verdict.again && verdict.free);
    EXPECT_EQ(verdict.delay, absl::Seconds(30));
  }
}

TEST_F(AttemptPolicies, TheThirdCrashOfAJobIsItsLast) {
  retry.attempts = 1;  // crashes are counted by themselves
  EXPECT_TRUE(after(lost(true, true)).again);
  EXPECT_TRUE(after(lost(true, true)).again);
  const AttemptPolicy::Verdict third = after(lost(true, true));
  EXPECT_FALSE(third.again);
  EXPECT_EQ(third.reason, "STAGE_CRASHED");
  EXPECT_EQ(strikes, 3);
}

TEST_F(AttemptPolicies, WhatMayNotRunTwiceIsLostAtOnce) {
  for (bool guilty : {true, false}) {
    const AttemptPolicy::Verdict verdict = after(lost(guilty, /*idempotent=*/false));
    EXPECT_FALSE(verdict.again);
    EXPECT_EQ(verdict.reason, "STAGE_LOST");
  }
}

TEST_F(AttemptPolicies, IfLostFailEndsItWhateverTheStageSaysOfItself) {
  for (bool guilty : {true, false}) {
    for (bool idempotent : {true, false}) {
      const AttemptPolicy::Verdict verdict =
          runs_once.after(lost(guilty, idempotent), 1, now, random);
      EXPECT_FALSE(verdict.again);
      EXPECT_EQ(verdict.reason, "STAGE_LOST");
    }
  }
  StageOutcome retired = ended(true);
  retired.preempted = true;
  EXPECT_EQ(runs_once.after(retired, 1, now, random).reason, "STAGE_LOST");
  EXPECT_EQ(strikes, 0);
}

TEST_F(AttemptPolicies, IfLostFailDoesNotRepeatAnAttemptThatTookTooLong) {
  StageOutcome late = ended(true);
  late.status = absl::DeadlineExceededError("timed out");
  EXPECT_TRUE(policy.after(late, 1, now, random).again);
  const AttemptPolicy::Verdict verdict = runs_once.after(late, 1, now, random);
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(verdict.reason, "");  // as without: it timed out
}

TEST_F(AttemptPolicies, IfLostFailGoesOnAfterWhatTheStageSaidAndWhatNeverBegan) {
  EXPECT_TRUE(runs_once.after(ended(true), 1, now, random).again);
  StageOutcome no_process = ended(true);
  no_process.preempted = no_process.unstarted = true;
  const AttemptPolicy::Verdict verdict = runs_once.after(no_process, 1, now, random);
  EXPECT_TRUE(verdict.again && verdict.free);
}

TEST_F(AttemptPolicies, IfLostRetryRunsAStageAgainThatDoesNotSayItMay) {
  retry.attempts = 1;
  const AttemptPolicy::Verdict bystander = runs_again.after(lost(false, false), 1, now, random);
  EXPECT_TRUE(bystander.again && bystander.free);
  EXPECT_EQ(strikes, 0);
  EXPECT_TRUE(runs_again.after(lost(true, false), 1, now, random).again);
  EXPECT_TRUE(runs_again.after(lost(true, false), 1, now, random).again);
  const AttemptPolicy::Verdict third = runs_again.after(lost(true, false), 1, now, random);
  EXPECT_FALSE(third.again);
  EXPECT_EQ(third.reason, "STAGE_CRASHED");
}

TEST_F(AttemptPolicies, NothingBeginsAfterTheJobsDeadline) {
  StageOutcome outcome = ended(true);
  outcome.preempted = true;
  outcome.retry_after = absl::Minutes(2);
  EXPECT_FALSE(after(outcome).again);
}

}  // namespace
}  // namespace fermata

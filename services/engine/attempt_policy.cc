#include "services/engine/attempt_policy.h"

#include "services/engine/backoff.h"

namespace fermata {

AttemptPolicy::Verdict AttemptPolicy::after(const StageOutcome& outcome, int attempts,
                                            absl::Time now, absl::BitGenRef random) {
  Verdict verdict;
  const bool stopped = outcome.lost || (outcome.preempted && !outcome.unstarted);
  if (if_lost_ == IfLost::kFail && (stopped || absl::IsDeadlineExceeded(outcome.status))) {
    if (stopped) verdict.reason = "STAGE_LOST";
    return verdict;
  }
  const bool may_run_twice = outcome.retryable || if_lost_ == IfLost::kRetry;
  const bool blameless = outcome.preempted || (outcome.bystander && may_run_twice);
  const bool crashed = outcome.lost && !blameless;
  const bool spared = blameless && (!outcome.lost || ++spared_ <= kSparedMax);
  if (spared) {
    verdict.again = true;
    verdict.free = true;
    verdict.delay = outcome.retry_after;
  } else if (crashed) {
    ++job_strikes_;
    verdict.again = may_run_twice && job_strikes_ < kStrikesMax;
    verdict.reason = may_run_twice ? "STAGE_CRASHED" : "STAGE_LOST";
  } else {
    verdict.again = outcome.retryable && attempts < retry_.attempts;
    verdict.delay = backoff(retry_, attempts, outcome.retry_after, random);
  }
  verdict.again = verdict.again && now + verdict.delay < job_deadline_;
  return verdict;
}

}  // namespace fermata

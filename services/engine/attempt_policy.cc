#include "services/engine/attempt_policy.h"

#include "services/engine/backoff.h"

namespace fermata {

AttemptPolicy::Verdict AttemptPolicy::after(const StageOutcome& outcome, int attempts,
                                            absl::Time now, absl::BitGenRef random) {
  Verdict verdict;
  const bool crashed = outcome.lost && !outcome.preempted;
  const bool spared = outcome.preempted && (!outcome.lost || ++spared_ <= kSparedMax);
  if (spared) {
    verdict.again = true;
    verdict.free = true;
    verdict.delay = outcome.retry_after;
  } else if (crashed) {
    ++job_strikes_;
    verdict.again = outcome.retryable && job_strikes_ < kStrikesMax;
    verdict.reason = outcome.retryable ? "STAGE_CRASHED" : "STAGE_LOST";
  } else {
    verdict.again = outcome.retryable && attempts < retry_.attempts;
    verdict.delay = backoff(retry_, attempts, outcome.retry_after, random);
  }
  verdict.again = verdict.again && now + verdict.delay < job_deadline_;
  return verdict;
}

}  // namespace fermata

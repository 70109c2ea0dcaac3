#include "services/engine/backoff.h"

#include <algorithm>
#include <cmath>

#include "absl/random/uniform_real_distribution.h"
#include "services/async/check.h"

namespace fermata {

absl::Duration backoff(const RetryPolicy& policy, int failed, absl::Duration retry_after,
                       absl::BitGenRef random) {
  FERMATA_CHECK(failed >= 1, "backing off before anything failed");
  // A double saturates to infinity where a product of durations would have to be watched.
  const double seconds =
      absl::ToDoubleSeconds(policy.initial) * std::pow(policy.factor, failed - 1);
  const double cap = std::min(seconds, absl::ToDoubleSeconds(policy.max));
  double wait = cap;
  if (policy.jitter == Jitter::kFull && cap > 0) {
    wait = absl::uniform_real_distribution<double>(0, cap)(random);
  }
  return std::max(absl::Seconds(wait), retry_after);
}

}  // namespace fermata

// How long to wait before the next attempt: exponential with full jitter, and never less than the
// failing dependency itself asked for. Full jitter (anything from 0 to the cap) is what spreads
// thousands of calls that failed together.
#pragma once

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "services/pipeline/pipeline.h"

namespace fermata {

// After the `failed`th failed attempt (1 is the first). `retry_after`: zero is none.
absl::Duration backoff(const RetryPolicy& policy, int failed, absl::Duration retry_after,
                       absl::BitGenRef random);

}  // namespace fermata

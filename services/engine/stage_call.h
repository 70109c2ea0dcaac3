// One call of a stage: attempts until it succeeds, fails for good, or has been tried often enough.
//
// Each attempt has its own timeout, at which the stage is really stopped; what it then costs to try
// again is decided by the pipeline's retry policy (backoff.h) and by the stage, which says whether
// trying again makes sense and may say when. An attempt that could only begin after the job's
// deadline is not waited for: the job fails with the error that there is, instead of expiring
// without one.
#pragma once

#include <cstddef>

#include "services/async/async.h"
#include "services/config/json.h"
#include "services/engine/execution.h"
#include "services/engine/stage_output.h"
#include "services/stages/stages.h"

namespace fermata {

// `item`: null without `each`. Awaited in place.
//   wakes when   the call has ended, in any way
//   on cancel    when the stage has let go; at once while it waits for its next attempt
//   on shutdown  likewise
Co<CallResult> run_call(Execution& execution, int stage, StageRef ref, const JsonValue* item,
                        size_t index);

}  // namespace fermata

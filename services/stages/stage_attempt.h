// StageAttempt: one attempt in one stage of one generation, wherever it runs: the input is checked
// and its defaults filled in, the call made, its outcome counted.
#ifndef SERVICES_STAGES_STAGE_ATTEMPT_H_
#define SERVICES_STAGES_STAGE_ATTEMPT_H_

#include <cstddef>

#include "services/async/co.h"
#include "services/stages/generation.h"
#include "services/stages/running_call.h"
#include "services/stages/stages.h"

namespace fermata {

struct HostContext;

// As PluginGeneration::call.
Co<StageOutcome> attempt_stage(PluginGeneration& generation, HostContext& host, size_t stage,
                               StageRequest&& request);

}  // namespace fermata

#endif  // SERVICES_STAGES_STAGE_ATTEMPT_H_

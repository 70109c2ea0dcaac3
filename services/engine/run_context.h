// RunContext: what the run of a job may touch of the engine. Lives as long as the engine.
#pragma once

#include "absl/random/bit_gen_ref.h"
#include "services/engine/admission.h"
#include "services/engine/engine_limits.h"
#include "services/engine/journal.h"
#include "services/stages/stages.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata {

struct RunContext {
  Stages& stages;
  JobStore& store;
  Journal& journal;
  Admission& admission;
  EngineStats& stats;
  const Clock& clock;
  absl::BitGenRef random;
  const EngineLimits& limits;
};

}  // namespace fermata

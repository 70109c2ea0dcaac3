// RunContext: what the run of a job may touch of the engine. Lives as long as the engine.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/random/bit_gen_ref.h"
#include "services/engine/admission.h"
#include "services/engine/engine_limits.h"
#include "services/engine/journal.h"
#include "services/stages/stages.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata {

// What a running job must know of a drain, and the engine of a running job meanwhile.
struct DrainState {
  bool begun = false;
  size_t held = 0;  // running jobs of which nothing goes on any more, see Execution::note_begun()
  std::function<void()> held_changed;
};

struct RunContext {
  Stages& stages;
  JobStore& store;
  Journal& journal;
  Admission& admission;
  EngineStats& stats;
  const Clock& clock;
  absl::BitGenRef random;
  const EngineLimits& limits;
  DrainState& drain;
};

}  // namespace fermata

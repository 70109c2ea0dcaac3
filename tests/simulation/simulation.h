// A whole simulated daemon from one seed: clients, engine, stages, store; several lives, each ended
// by a crash at a drawn instant, the last one by itself. The same seed does the same, step by step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/disk.h"

namespace fermata::simulation {

struct SimulationResult {
  std::vector<std::string> violations;
  int lives = 0;
  int jobs = 0;
  int lost = 0;       // of these, that ended STAGE_LOST
  std::string trace;  // everything that was seen, as text: equal for equal seeds
};

enum class DiskKind { kModel, kSqlite };

SimulationResult simulate(uint64_t seed, const StoreFaults& faults, DiskKind kind);

// The faults that a daemon must bear, as the seed draws them.
StoreFaults faults_of(uint64_t seed);
DiskKind disk_of(uint64_t seed);

}  // namespace fermata::simulation

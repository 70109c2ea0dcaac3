// StageCounters: plain numbers of one stage on one loop, turned into Prometheus families at scrape
// time.
//
// No atomics and no locks: the loop thread writes, and a scrape reads them on that same loop.
#ifndef SERVICES_STAGES_STAGE_COUNTERS_H_
#define SERVICES_STAGES_STAGE_COUNTERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "services/metrics/counters.h"

namespace fermata {

// How an attempt ended, as the metric label `outcome` says it.
enum class StageResult : uint8_t {
  kOk,
  kInvalid,      // permanent: the input or the world is wrong
  kTransient,    // worth a retry
  kUnavailable,  // a dependency is down
  kDeadline,
  kCancelled,
  kInternal,   // a bug in the stage
  kAbandoned,  // did not let go within the grace period after a cancel
  kLost,       // its process died, or was not there
};
inline constexpr std::array<const char*, 9> kStageResultNames = {
    "ok",        "invalid",  "transient", "unavailable", "deadline",
    "cancelled", "internal", "abandoned", "lost"};

struct StageCounters {
  uint64_t in_flight = 0;  // called, not ended yet
  uint64_t abandoned = 0;  // ended for the engine, but the stage still holds them
  uint64_t started = 0;
  std::array<uint64_t, kStageResultNames.size()> ended{};  // by StageResult
  JobHistogram duration;                                   // of every attempt, however it ended
  uint64_t input_bytes = 0;
  uint64_t output_bytes = 0;
  uint64_t chunks = 0;
  uint64_t logs_dropped = 0;  // over the rate limit

  void begin(size_t bytes) {
    ++started;
    ++in_flight;
    input_bytes += bytes;
  }
  // The input was refused: the stage never saw it.
  void reject() {
    ++started;
    ++ended[static_cast<size_t>(StageResult::kInvalid)];
  }
  void end(StageResult result, int64_t elapsed_ns, size_t bytes) {
    --in_flight;
    ++ended[static_cast<size_t>(result)];
    duration.observe(elapsed_ns);
    output_bytes += bytes;
  }
};

}  // namespace fermata

#endif  // SERVICES_STAGES_STAGE_COUNTERS_H_

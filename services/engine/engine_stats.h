// EngineStats: plain numbers of one engine, for /metrics. Written on the conductor's thread and
// copied there at scrape.
//
// Keys of `pipelines` are the names of the library's pipelines and of the bare stages that were
// run, "(inline)" for pipelines sent with a job, and "(other)" beyond kMaxPipelines: a client
// cannot make this grow.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "services/metrics/counters.h"
#include "services/store/job_state.h"

namespace fermata {

enum class AttemptResult : uint8_t { kOk, kFailed, kRetried, kTimedOut, kCancelled };
inline constexpr std::array<const char*, 5> kAttemptResultNames = {"ok", "failed", "retried",
                                                                   "timed_out", "cancelled"};

struct StageStats {
  std::array<uint64_t, kAttemptResultNames.size()> attempts{};  // by AttemptResult
  int64_t in_flight = 0;                                        // calls, backing off included
  JobHistogram duration;  // of a whole stage, fan-out included
};

struct PipelineStats {
  uint64_t submitted = 0;
  std::array<uint64_t, kJobStates> finished{};  // by final state
  JobHistogram wait;                            // accepted until first run
  JobHistogram run;                             // first run until finished
  std::map<std::string, StageStats> stages;
};

struct EngineStats {
  static constexpr size_t kMaxPipelines = 500;

  std::array<int64_t, kJobStates> jobs{};              // unfinished ones by state
  size_t running = 0;                                  // jobs that have a place of limits.running
  size_t bytes = 0;                                    // held by them
  absl::Time oldest_pending = absl::InfiniteFuture();  // create time of the longest waiting
  uint64_t submitted = 0;                              // accepted
  std::map<std::string, uint64_t> refused;             // by error reason
  std::map<std::string, uint64_t> finished_reasons;    // by JobRecord.reason, final
  size_t in_store = 0;          // of the pending ones, those that only the store has
  uint64_t recovered = 0;       // unfinished in the store at start
  uint64_t store_failures = 0;  // commits that were refused, reads of waiting jobs that failed
  bool store_healthy = true;    // the last of these went well
  bool draining = false;
  int64_t watchers = 0;
  int64_t waiters = 0;
  std::map<std::string, PipelineStats> pipelines;
};

}  // namespace fermata

// EngineLimits: how much the engine takes on. At a limit it says no, politely; it never grows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace fermata {

struct EngineLimits {
  size_t jobs = 100000;                           // unfinished in memory: refused TOO_MANY_JOBS
  size_t bytes = size_t{1} << 30;                 // held by these: refused TOO_MANY_BYTES
  size_t window = 10000;                          // pending in memory; the store alone has the rest
  size_t payload = size_t{4} << 20;               // one job's input
  size_t pipeline_yaml = size_t{64} << 10;        // one inline pipeline
  size_t output = size_t{64} << 20;               // of one stage, gathered; more fails the job
  size_t fan_out = 10000;                         // items of one `each`; more fails the job
  size_t running = 10000;                         // jobs at once; more wait PENDING
  size_t events = 256;                            // kept per watched job
  absl::Duration retry_delay = absl::Seconds(1);  // what a refusal asks for
};

}  // namespace fermata

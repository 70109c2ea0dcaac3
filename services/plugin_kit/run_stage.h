// One stage of one plugin file on a real loop, in this process: for authors, without a server.
//
// A plugin that asks for a process of its own runs here too: this process is its own.
#ifndef SERVICES_PLUGIN_KIT_RUN_STAGE_H_
#define SERVICES_PLUGIN_KIT_RUN_STAGE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::kit {

struct RunOptions {
  std::string file;
  std::string stage;  // "upper"
  std::string input = "null";
  std::string config;                                // empty: {}
  std::function<void(std::string_view)> on_message;  // logs, progress, chunks
};

// The output. The call's own status when it failed.
absl::StatusOr<std::string> run_stage(const RunOptions& options);

struct BenchResult {
  uint64_t calls = 0;
  absl::Duration took;
  absl::Duration p50, p99;      // of one call alone
  double calls_per_second = 0;  // many at a time
};
// One call after another for half of `duration`, then `concurrency` at a time.
absl::StatusOr<BenchResult> bench_stage(const RunOptions& options, absl::Duration duration,
                                        int concurrency);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_RUN_STAGE_H_

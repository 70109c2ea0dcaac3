// Isolated: a PluginHost on a real loop whose crasher.so runs in a process of its own; sample.so is
// in the server's.
#ifndef TESTS_STAGES_ISOLATED_ISOLATED_FIXTURE_H_
#define TESTS_STAGES_ISOLATED_ISOLATED_FIXTURE_H_

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {

class Isolated : public HostFixture {
 public:
  Isolated() {
    put_plugin("crasher.so", "tests/stages/isolated/crasher.so");
    put_plugin("sample.so", "tests/sdk/sample.so");
    crasher().placement = Placement::kIsolated;
  }
  PluginPlacement& crasher() { return options.placements.plugins["crasher"]; }
};

inline std::string text_of(const StageOutcome& outcome) {
  return std::string(outcome.status.message());
}

inline bool has_log(const HostFixture& test, const std::string& part) {
  for (const std::string& line : test.logs) {
    if (absl::StrContains(line, part)) return true;
  }
  return false;
}

inline const ProcessStats& stats_of(const PluginHost& host) {
  return *host.process_views().at(0).stats;
}

// Hears that a call has begun.
struct Begun : StageObserver {
  void progress(double, std::string_view) override { event.set(); }
  void chunk(const Buffer& bytes) override { chunk_bytes += bytes.size(); }
  Event event;
  size_t chunk_bytes = 0;
};

inline Co<StageOutcome> call_observed(PluginHost* host, std::string use, StageObserver* observer) {
  absl::StatusOr<StageRef> stage = host->resolve(use);
  StageRequest request;
  request.job_id = "job-2";
  request.input = "null";
  request.observer = observer;
  co_return co_await host->call(*stage, std::move(request));
}

}  // namespace fermata

#endif  // TESTS_STAGES_ISOLATED_ISOLATED_FIXTURE_H_

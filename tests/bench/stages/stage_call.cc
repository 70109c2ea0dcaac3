// What a stage call costs over a plain coroutine call, in one process and one run.
//
//   bazel run --config=release //tests/bench/stages:stage_call -- path/to/sample.so
//
// Each line is the best of several rounds, in nanoseconds per call; "over" is against the plain
// coroutine of the same round. Exits with 1 when a line with a requirement misses it.
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "services/async/async.h"
#include "services/stages/plugin_host.h"
#include "services/stages/testing/fake_stages.h"

namespace fermata {
namespace {

// Rounds shorter than a time slice, so that on a machine that does other things, too, some of them
// run undisturbed.
constexpr int kCalls = 1000;
constexpr int kRounds = 1000;
constexpr double kOverMaxNs = 300;

StageRequest request_of(const std::string& input) {
  StageRequest request;
  request.job_id = "01a22064-8d7f-7000-be22-46b26686c334";
  request.input = input;
  return request;
}

Co<StageOutcome> plain(StageRef stage, StageRequest request) {
  StageOutcome outcome;
  outcome.output = Buffer(std::move(request.input));
  co_return outcome;
}

Co<absl::StatusOr<std::string>> echo(FakeCall& call) { co_return call.request.input; }

double since_ns(std::chrono::steady_clock::time_point began) {
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - began;
  return elapsed.count() / kCalls;
}

Co<double> time_plain(std::string input) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) {
      StageOutcome outcome = co_await plain(nullptr, request_of(input));
      if (!outcome.status.ok()) std::abort();
    }
    best = std::min(best, since_ns(began));
  }
  co_return best;
}

Co<double> time_stage(Stages& stages, std::string use, std::string input) {
  absl::StatusOr<StageRef> stage = stages.resolve(use);
  double best = 1e9;
  for (int round = 0; round < kRounds && stage.ok(); ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) {
      StageOutcome outcome = co_await stages.call(*stage, request_of(input));
      if (!outcome.status.ok()) std::abort();
    }
    best = std::min(best, since_ns(began));
  }
  co_return best;
}

Co<absl::Status> measure(Loop* loop, const char* sample) {
  std::string pattern = "/tmp/stage_bench.XXXXXX";
  const std::string root = ::mkdtemp(pattern.data());
  std::filesystem::create_directory(root + "/plugins");
  std::filesystem::copy_file(sample, root + "/plugins/sample.so");
  ::chmod((root + "/plugins/sample.so").c_str(), 0644);
  StagesOptions options;
  options.folder = root + "/plugins";
  options.private_dir = root + "/private";
  PluginHost host(*loop, options);
  LoadReport report = co_await host.load_all();
  for (const std::string& refusal : report.refusals) std::printf("%s\n", refusal.c_str());
  FakeStages fakes;
  fakes.add("fake/echo", &echo);

  double base = co_await time_plain("null");
  std::printf("%-44s %7.1f ns\n", "plain coroutine", base);
  const struct {
    const char* what;
    Stages& stages;
    const char* use;
    const char* input;
    bool required;
  } rows[] = {
      {"fake stage", fakes, "fake/echo", "null", false},
      {"SDK stage, does not wait", host, "sample/echo", "null", true},
      {"SDK stage, waits for one turn", host, "sample/yield", "null", false},
      {"SDK stage, input checked against a schema", host, "sample/configured", R"({"name":"Ada"})",
       false},
  };
  bool missed = false;
  for (const auto& row : rows) {
    const double ns = co_await time_stage(row.stages, row.use, row.input);
    const double again = co_await time_plain("null");  // a machine in a worse mood is no excuse
    base = std::min(base, again);
    std::printf("%-44s %7.1f ns   over %7.1f ns", row.what, ns, ns - base);
    const bool kept = ns - base < kOverMaxNs;
    if (row.required) std::printf("   required < %.0f: %s", kOverMaxNs, kept ? "kept" : "MISSED");
    std::printf("\n");
    missed = missed || (row.required && !kept);
  }
  co_await host.close();
  std::filesystem::remove_all(root);
  if (report.status.ok() && missed) co_return absl::OutOfRangeError("a requirement was missed");
  co_return report.status;
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) {
  const char* sample = argc > 1 ? argv[1] : "tests/sdk/sample.so";
  fermata::EpollLoop loop;
  fermata::Loop* base = &loop;
  const absl::Status status = loop.run(fermata::measure, base, sample);
  if (!status.ok()) std::printf("%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

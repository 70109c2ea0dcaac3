// Harness: an engine on a simulated loop with fake stages, ready for one scenario.
//
//   Co<absl::Status> scenario(Harness& h) {
//     JobView job = co_await Try(h.run("echo", R"({"a":1})"));
//     EXPECT_EQ(*job->result, R"({"a":1})");
//     co_return absl::OkStatus();
//   }
//   TEST(Engine, RunsAJob) { for_each_seed(&scenario); }
//
// play() serves the engine beside the scenario, stops it afterwards and checks that nothing is
// left: no job, no byte, no running stage, no task.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/sim_loop.h"
#include "services/engine/engine.h"
#include "services/stages/testing/fake_stages.h"
#include "services/store/memory_store.h"
#include "tests/engine/slow_store.h"

namespace fermata {

// What the fake stages did, and how they are told to behave. Inputs are JSON objects:
//   test/echo   gives its input
//   test/none   gives nothing, at once
//   test/work   {"ms", "value"?, "fail"?: code, "times"?: fails only so often, "key"?: whose
//                failures are counted, "retry_after_ms"?, "group"?: whose calls are counted}
//   test/stuck  never ends
struct StageWorld {
  int running = 0;  // calls of test/work and test/stuck
  int running_max = 0;
  int started = 0;
  std::map<std::string, int> calls;       // by the input's "key"
  std::map<std::string, int> failures;    // by the input's "key": how often it failed
  std::map<std::string, int> running_by;  // by the input's "group"
  std::map<std::string, int> running_by_max;
};

struct Harness {
  // `kept`: a store that outlives it, instead of its own.
  explicit Harness(uint64_t seed, const EngineLimits& limits = {}, const Retention& retention = {},
                   JobStore* kept = nullptr);

  // Adds a pipeline to the library.
  void add(std::string_view yaml);
  // Submits and waits for the end. `work` is a pipeline, or a stage when it has a slash.
  Co<absl::StatusOr<JobView>> run(std::string work, std::string input);
  Co<absl::StatusOr<JobView>> submit(std::string work, std::string input);
  static SubmitRequest request(std::string_view work, std::string_view input);

  using Scenario = Co<absl::Status> (*)(Harness&);
  void play(Scenario scenario);

  uint64_t seed;
  SimLoop loop;
  LoopClock clock;
  std::mt19937_64 random;
  MemoryStore memory;
  SlowStore store;
  StageWorld world;
  FakeStages stages;
  PipelineLibrary library;
  Engine engine;

 private:
  static Co<absl::Status> both(TaskGroup& group, Harness* self, Scenario scenario);
  static Co<absl::Status> main(Harness* self, Scenario scenario);
};

inline constexpr uint64_t kSeeds = 40;

// Plays the scenario with seeds 0..kSeeds-1, each on a harness that `prepare` may set up.
void for_each_seed(Harness::Scenario scenario, const EngineLimits& limits = {},
                   void (*prepare)(Harness&) = nullptr);

}  // namespace fermata

#include "tests/engine/engine_harness.h"

#include <algorithm>
#include <utility>

#include "services/config/json.h"

namespace fermata {
namespace {

class Running {
 public:
  explicit Running(StageWorld& world) : world_(world) {
    ++world_.started;
    world_.running_max = std::max(world_.running_max, ++world_.running);
  }
  Running(const Running&) = delete;
  ~Running() { --world_.running; }

 private:
  StageWorld& world_;
};

// A call of test/work in its group.
class InGroup {
 public:
  InGroup(StageWorld& world, const std::string& group) : running_(world.running_by[group]) {
    int& max = world.running_by_max[group];
    max = std::max(max, ++running_);
  }
  InGroup(const InGroup&) = delete;
  ~InGroup() { --running_; }

 private:
  int& running_;
};

StageWorld& world_of(FakeCall& call) { return *static_cast<StageWorld*>(call.user); }

int64_t number(const JsonValue& object, std::string_view name, int64_t otherwise) {
  const JsonValue* const found = find_member(object, name);
  return found != nullptr && found->IsInt64() ? found->GetInt64() : otherwise;
}

std::string text(const JsonValue& object, std::string_view name) {
  const JsonValue* const found = find_member(object, name);
  return found != nullptr && found->IsString() ? found->GetString() : "";
}

Co<absl::StatusOr<std::string>> echo(FakeCall& call) { co_return call.request.input; }
Co<absl::StatusOr<std::string>> none(FakeCall& call) { co_return std::string(); }
Co<absl::StatusOr<std::string>> broken(FakeCall& call) { co_return std::string("1],[2"); }

Co<absl::StatusOr<std::string>> stuck(FakeCall& call) {
  Running running(world_of(call));
  co_await sleep(absl::InfiniteDuration());
  co_return absl::InternalError("slept for ever and woke up");
}

Co<absl::StatusOr<std::string>> work(FakeCall& call) {
  StageWorld& world = world_of(call);
  Running running(world);
  absl::StatusOr<JsonDocument> input = parse_json(call.request.input);
  if (!input.ok()) co_return input.status();
  InGroup in_group(world, text(*input, "group"));
  ++world.calls[text(*input, "key")];
  co_await sleep(absl::Milliseconds(number(*input, "ms", 0)));
  call.progress(0.5, "half");
  const int64_t code = number(*input, "fail", 0);
  const std::string name = text(*input, "key");
  if (code != 0 && world.failures[name] < number(*input, "times", 1000000)) {
    ++world.failures[name];
    call.retry_after = absl::Milliseconds(number(*input, "retry_after_ms", 0));
    co_return absl::Status(static_cast<absl::StatusCode>(code), "told to fail");
  }
  const JsonValue* const value = find_member(*input, "value");
  co_return value == nullptr ? std::string("null") : to_json(*value);
}

}  // namespace

Harness::Harness(uint64_t seed, const EngineLimits& limits, const Retention& retention,
                 JobStore* kept)
    : seed(seed),
      loop(seed),
      clock(loop),
      random(seed),
      memory(clock, retention),
      store(kept == nullptr ? memory : *kept),
      engine(loop, store, stages, library, clock, random, limits) {
  stages.add("test/echo", &echo);
  stages.add("test/none", &none);
  stages.add("test/broken", &broken);
  stages.add("test/work", &work, &world);
  stages.add("test/stuck", &stuck, &world);
}

void Harness::add(std::string_view yaml) {
  absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline =
      parse_pipeline(yaml, "test.yaml", nullptr);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status();
  const absl::Status added = library.add(*std::move(pipeline));
  ASSERT_TRUE(added.ok()) << added;
}

SubmitRequest Harness::request(std::string_view work, std::string_view input) {
  SubmitRequest request;
  (work.find('/') == std::string_view::npos ? request.pipeline : request.stage) = work;
  request.input = input;
  return request;
}

Co<absl::StatusOr<JobView>> Harness::run(std::string work, std::string input) {
  SubmitRequest what = request(work, input);
  co_return co_await engine.submit_and_wait(std::move(what), true);
}

Co<absl::StatusOr<JobView>> Harness::submit(std::string work, std::string input) {
  SubmitRequest what = request(work, input);
  co_return co_await engine.submit(std::move(what));
}

Co<absl::Status> Harness::both(TaskGroup& group, Harness* self, Scenario scenario) {
  group.spawn_named("engine", &Engine::run, &self->engine);
  absl::Status status = co_await scenario(*self);
  self->engine.stop();
  co_return status;
}

Co<absl::Status> Harness::main(Harness* self, Scenario scenario) {
  co_return co_await with_group(&Harness::both, self, scenario);
}

void Harness::play(Scenario scenario) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const absl::Status status = loop.run(&Harness::main, this, scenario);
  EXPECT_TRUE(status.ok()) << status;
  const EngineStats stats = engine.stats();
  for (const int64_t jobs : stats.jobs) EXPECT_EQ(jobs, 0);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.running, 0u);
  EXPECT_EQ(stats.waiters, 0);
  EXPECT_EQ(stats.watchers, 0);
  for (const auto& [name, pipeline] : stats.pipelines) {
    for (const auto& [stage, numbers] : pipeline.stages) EXPECT_EQ(numbers.in_flight, 0) << stage;
  }
  EXPECT_EQ(world.running, 0);
  EXPECT_EQ(loop.stats().live_tasks, 0u);
}

void for_each_seed(Harness::Scenario scenario, const EngineLimits& limits,
                   void (*prepare)(Harness&)) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Harness harness(seed, limits);
    if (prepare != nullptr) prepare(harness);
    harness.play(scenario);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace fermata

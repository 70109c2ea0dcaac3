// An engine dies, another one opens what it left.
#include <optional>
#include <string>
#include <vector>

#include "services/async/async.h"
#include "tests/engine/lives.h"

namespace fermata {
namespace {

using enum JobState;

void add_pipelines(Harness& h) {
  h.add(R"(
pipeline: graph
stages:
  a: { use: test/work, with: { ms: 10, key: "a-${/input/n}", value: "${/input/n}" } }
  b: { use: test/work, after: [a], each: "${/input/items}", parallel: 2,
       with: { ms: 5, key: "b-${/input/n}", value: "${/item}" } }
  c: { use: test/work, after: [a], with: { ms: 7, key: "c-${/input/n}", value: 3 } }
  d: { use: test/work, after: [b, c], with: { key: "d-${/input/n}", value: "${/stages/b}" } }
result: { a: "${/stages/a}", c: "${/stages/c}", d: "${/stages/d}" }
)");
  h.add(R"(
pipeline: chain
stages:
  a: { use: test/work, with: { ms: 10, key: "a-${/input/n}", value: "${/input/n}" } }
  b: { use: test/work, after: [a], with: { ms: 5, key: "b-${/input/n}", value: "${/stages/a}" } }
  d: { use: test/work, after: [b], with: { key: "d-${/input/n}", value: "${/stages/b}" } }
)");
}

SubmitRequest numbered(int n) {
  SubmitRequest request = Harness::request(n % 2 == 0 ? "graph" : "chain",
                                           R"({"n":)" + std::to_string(n) + R"(,"items":[1,2,3]})");
  request.request_id = "r" + std::to_string(n);
  return request;
}

std::string result_of(int n) {
  const std::string number = std::to_string(n);
  return n % 2 == 0 ? R"({"a":)" + number + R"(,"c":3,"d":[1,2,3]})" : number;
}

// A client that submits four jobs, and asks again for what it does not know the answer to.
Co<absl::Status> submit_all(Harness* h, CrashStore* store, World* world) {
  for (int n = 1; n <= 4; ++n) {
    SubmitRequest request = numbered(n);
    absl::StatusOr<JobView> job = co_await h->engine.submit(std::move(request));
    if (!job.ok()) co_return job.status();
    std::string& told = world->told["r" + std::to_string(n)];
    // The same request is the same job, for ever.
    EXPECT_TRUE(told.empty() || told == (*job)->id()) << told << " became " << (*job)->id();
    told = (*job)->id();
    co_await sleep(absl::Milliseconds(3));
  }
  for (int n = 1; n <= 4; ++n) {
    std::string id = world->told["r" + std::to_string(n)];
    absl::StatusOr<JobView> job = co_await h->engine.wait(std::move(id), absl::InfiniteFuture());
    if (!job.ok()) co_return job.status();
    EXPECT_EQ((*job)->state, kSucceeded) << (*job)->reason;
    if ((*job)->result != nullptr) {
      EXPECT_EQ(*(*job)->result, result_of(n));
    }
  }
  store->over.set();
  co_return absl::OkStatus();
}

// Keys of stages whose output the store has.
Co<absl::Status> stored_outputs(World* world, std::vector<std::string>* keys) {
  constexpr size_t kMuch = size_t{1} << 30;
  LanePage live = co_await Try(world->kept.lane("default", std::nullopt, 100, kMuch));
  for (const JobView& job : live.jobs) {
    for (const StageProgress& stage : job->stages) {
      if (stage.output == nullptr) continue;
      keys->push_back(stage.name + "-" + job->spec->request_id.substr(1));
    }
  }
  co_return absl::OkStatus();
}

void crash_and_recover(int crash_at, bool loses_commit, uint64_t seed, bool* crashed) {
  World world;
  CrashStore first(world.kept);
  first.crash_at = crash_at;
  first.loses_commit = loses_commit;
  (void)live(world, first, &submit_all, seed, &add_pipelines);
  *crashed = first.commits >= crash_at;

  std::vector<std::string> stored;
  SimLoop between;
  ASSERT_TRUE(between.run(&stored_outputs, &world, &stored).ok());
  CrashStore second(world.kept);
  const StageWorld ran = live(world, second, &submit_all, seed, &add_pipelines);
  for (const std::string& key : stored) {
    EXPECT_EQ(ran.calls.count(key), 0u) << "stage " << key << " was run again";
  }
  EXPECT_EQ(world.told.size(), 4u);
  for (const auto& [id, ends] : world.ends) EXPECT_EQ(ends, 1) << id;
  EXPECT_EQ(world.kept.stats().live, 0u);
  EXPECT_EQ(world.kept.stats().finished, 4u);
}

TEST(Recovery, ACrashAtAnyCommitLosesNothingAndRunsNoFinishedStageAgain) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    bool crashed = true;
    int crash_at = 1;
    for (; crashed; ++crash_at) {
      for (const bool loses_commit : {false, true}) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << ", commit " << crash_at
                                        << (loses_commit ? " lost" : " kept"));
        crash_and_recover(crash_at, loses_commit, seed, &crashed);
        if (testing::Test::HasFailure()) return;
      }
    }
    EXPECT_GT(crash_at, 15);
  }
}

// ---- single cases: a first life leaves something, a second one finds it
// --------------------------

Co<absl::Status> submit_one(Harness* h, CrashStore* store, World* world) {
  absl::StatusOr<JobView> job = co_await h->engine.submit(numbered(1));
  if (!job.ok()) co_return job.status();
  world->told["r1"] = (*job)->id();
  co_await sleep(absl::Milliseconds(12));  // `a` is done, and stored
  store->over.set();
  co_return absl::OkStatus();
}

Co<absl::Status> finds_failed(Harness* h, CrashStore* store, World* world) {
  absl::StatusOr<JobView> job = co_await h->engine.wait(world->told["r1"], absl::InfiniteFuture());
  if (!job.ok()) co_return job.status();
  while (!(*job)->finished()) {
    co_await sleep(absl::Milliseconds(1));
    job = co_await h->engine.get(world->told["r1"]);
    if (!job.ok()) co_return job.status();
  }
  EXPECT_EQ((*job)->state, kFailed);
  world->told["reason"] = (*job)->reason;
  world->told["error"] = (*job)->error->message;
  store->over.set();
  co_return absl::OkStatus();
}

TEST(Recovery, AJobWhosePipelineIsGoneFailsAndSaysSo) {
  World world;
  CrashStore first(world.kept), second(world.kept);
  (void)live(world, first, &submit_one, 0, &add_pipelines);
  (void)live(world, second, &finds_failed, 0, [](Harness&) {});
  EXPECT_EQ(world.told["reason"], "PIPELINE_NOT_FOUND");
  EXPECT_NE(world.told["error"].find("cannot be resumed"), std::string::npos);
}

TEST(Recovery, AJobThatHadBegunIsNotGoneOnWithInAnotherVersionOfItsPipeline) {
  World world;
  CrashStore first(world.kept), second(world.kept);
  (void)live(world, first, &submit_one, 0, &add_pipelines);
  (void)live(world, second, &finds_failed, 0,
             [](Harness& h) { h.add("pipeline: chain\nstages:\n  a: { use: test/echo }\n"); });
  EXPECT_EQ(world.told["reason"], "PIPELINE_CHANGED");
}

Co<absl::Status> submit_again(Harness* h, CrashStore* store, World* world) {
  absl::StatusOr<JobView> job = co_await h->engine.submit(numbered(1));
  EXPECT_TRUE(job.ok()) << job.status();
  if (job.ok()) world->told["again"] = (*job)->id();
  store->over.set();
  co_return absl::OkStatus();
}

TEST(Recovery, ARepeatedRequestIsAnsweredThoughItsPipelineIsGone) {
  World world;
  CrashStore first(world.kept), second(world.kept);
  (void)live(world, first, &submit_one, 0, &add_pipelines);
  (void)live(world, second, &submit_again, 0, [](Harness&) {});
  EXPECT_EQ(world.told["again"], world.told["r1"]);
}

Co<absl::Status> submit_stuck(Harness* h, CrashStore* store, World* world) {
  SubmitRequest request = Harness::request("test/stuck", "{}");
  request.timeout = absl::Seconds(30);
  absl::StatusOr<JobView> job = co_await h->engine.submit(std::move(request));
  if (!job.ok()) co_return job.status();
  world->told["r1"] = (*job)->id();
  absl::StatusOr<Watch> watch = co_await h->engine.watch(world->told["r1"], 0);
  std::optional<JobEvent> event = co_await watch->next();
  world->told["sequence"] = std::to_string(event->sequence);
  store->over.set();
  co_return absl::OkStatus();
}

Co<absl::Status> expires(Harness* h, CrashStore* store, World* world) {
  co_await h->engine.serving();
  const int64_t seen = std::stoll(world->told["sequence"]);
  absl::StatusOr<Watch> watch = co_await h->engine.watch(world->told["r1"], seen);
  std::optional<JobEvent> event = co_await watch->next();
  EXPECT_EQ(event->kind, JobEventKind::kSnapshot);
  EXPECT_GT(event->sequence, seen);
  absl::StatusOr<JobView> job = co_await h->engine.wait(world->told["r1"], absl::InfiniteFuture());
  EXPECT_EQ((*job)->state, kExpired);
  EXPECT_EQ((*job)->end_time - (*job)->spec->create_time, absl::Seconds(30));
  absl::StatusOr<JobView> next = co_await h->engine.submit(numbered(1));
  EXPECT_GT((*next)->id(), world->told["r1"]);
  store->over.set();
  co_return absl::OkStatus();
}

TEST(Recovery, DeadlinesGoOnAndWatchersOfAnEarlierLifeGetASnapshot) {
  World world;
  CrashStore first(world.kept), second(world.kept);
  second.floor = 1'000'000;
  (void)live(world, first, &submit_stuck, 0, &add_pipelines);
  (void)live(world, second, &expires, 0, &add_pipelines);
}

Co<absl::Status> cancel_stuck(Harness* h, CrashStore* store, World* world) {
  // The stage lets go slowly; the process does not live to see it.
  absl::StatusOr<JobView> job = co_await h->submit("test/stuck", "{}");
  world->told["r1"] = (*job)->id();
  co_await sleep(absl::Milliseconds(1));
  store->crash_at = store->commits + 2;  // CANCELLING is kept, CANCELLED is not
  store->loses_commit = true;
  absl::StatusOr<JobView> told =
      co_await h->engine.request_cancel(world->told["r1"], CancelCause::kRequested);
  EXPECT_TRUE(told.ok()) << told.status();
  co_return absl::OkStatus();
}

Co<absl::Status> finds_cancelled(Harness* h, CrashStore* store, World* world) {
  co_await h->engine.serving();
  absl::StatusOr<JobView> job = co_await h->engine.wait(world->told["r1"], absl::InfiniteFuture());
  EXPECT_EQ((*job)->state, kCancelled);
  EXPECT_EQ(h->world.started, 0);
  store->over.set();
  co_return absl::OkStatus();
}

TEST(Recovery, AJobThatWasToldToStopIsNotRunAgain) {
  World world;
  CrashStore first(world.kept), second(world.kept);
  (void)live(world, first, &cancel_stuck, 0, &add_pipelines);
  (void)live(world, second, &finds_cancelled, 0, &add_pipelines);
}

Co<absl::Status> leaves(Harness& h) {
  JobView running = co_await Try(h.submit("test/stuck", "{}"));
  JobView waiting = co_await Try(h.submit("test/work", "{}"));
  co_await sleep(absl::Milliseconds(5));
  co_return absl::OkStatus();
}

Co<absl::Status> finishes(Harness& h) {
  co_await h.engine.serving();
  EXPECT_EQ(h.engine.stats().recovered, 2u);
  co_await sleep(absl::Seconds(1));
  EXPECT_EQ(h.world.running, 1);  // the stuck one, which had the only place before
  co_return absl::OkStatus();
}

TEST(Recovery, AServerThatStopsLeavesWhatTheStoreKeepsToTheNextOne) {
  World world;
  for (const auto scenario : {&leaves, &finishes}) {
    CrashStore store(world.kept);
    EngineLimits limits;
    limits.running = 1;
    Harness h(3, limits, {}, &store);
    h.play(scenario);
    EXPECT_EQ(world.kept.stats().live, 2u);
    EXPECT_EQ(world.kept.stats().finished, 0u);
  }
}

}  // namespace
}  // namespace fermata

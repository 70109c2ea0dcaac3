// `if_lost`: what becomes of an attempt of which nobody knows how far it got.
#include <map>
#include <string>

#include "services/async/async.h"
#include "tests/engine/lives.h"

namespace fermata {
namespace {

using enum JobState;

void add_pipelines(Harness& h) {
  h.add(R"(
pipeline: pay
stages:
  a: { use: test/work, with: { ms: 3, key: a, value: 1 } }
  charge: { use: test/work, after: [a], if_lost: fail, with: { ms: 5, key: charge, value: 7 } }
  b: { use: test/work, after: [a], with: { ms: 4, key: b } }
  mail: { use: test/work, after: [charge, b], if_lost: fail, with: { ms: 2, key: mail } }
result: ${/stages/charge}
)");
  h.add(R"(
pipeline: first
stages:
  charge: { use: test/work, if_lost: fail, with: { ms: 50, key: charge, value: 7 } }
)");
  h.add(R"(
pipeline: many
stages:
  charge: { use: test/work, each: "${/input/items}", parallel: 2, if_lost: fail,
            with: { ms: 10, key: charge } }
)");
  h.add(R"(
pipeline: backs_off
stages:
  charge: { use: test/work, if_lost: fail, retry: { attempts: 3, initial: 1s, jitter: none },
            with: { fail: 14, times: 1, key: charge, value: 7 } }
)");
}

// ---- any crash ---------------------------------------------------------------------------------

Co<absl::Status> pays(Harness* h, CrashStore* store, World* world) {
  SubmitRequest request = Harness::request("pay", "{}");
  request.request_id = "r1";
  absl::StatusOr<JobView> job = co_await h->engine.submit(std::move(request));
  if (!job.ok()) co_return job.status();
  world->told["id"] = (*job)->id();
  job = co_await h->engine.wait(world->told["id"], absl::InfiniteFuture());
  if (!job.ok()) co_return job.status();
  world->told["end"] = (*job)->reason.empty() ? to_string((*job)->state) : (*job)->reason;
  world->told["stage"] = (*job)->error.has_value() ? (*job)->error->stage : "";
  for (const StageProgress& stage : (*job)->stages) EXPECT_FALSE(stage.begun) << stage.name;
  store->over.set();
  co_return absl::OkStatus();
}

TEST(IfLost, AStageThatMayNotRunTwiceIsEnteredOnceWhateverCommitTheServerDiesIn) {
  std::map<std::string, int> ends;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    bool crashed = true;
    for (int crash_at = 1; crashed; ++crash_at) {
      for (const bool loses_commit : {false, true}) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << ", commit " << crash_at
                                        << (loses_commit ? " lost" : " kept"));
        World world;
        CrashStore first(world.kept), second(world.kept);
        first.crash_at = crash_at;
        first.loses_commit = loses_commit;
        StageWorld before = live(world, first, &pays, seed, &add_pipelines);
        crashed = first.commits >= crash_at;
        StageWorld after = live(world, second, &pays, seed, &add_pipelines);
        for (const std::string key : {"charge", "mail"}) {
          EXPECT_LE(before.calls[key] + after.calls[key], 1) << key;
        }
        const std::string& end = world.told["end"];
        EXPECT_TRUE(end == "SUCCEEDED" || end == "STAGE_LOST") << end;
        if (end == "STAGE_LOST") ++ends[world.told["stage"]];
        if (crashed) ++ends[end];
        EXPECT_EQ(world.ends.size(), 1u);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
  // Each has been seen: lost in either stage, and gone on with.
  EXPECT_GT(ends["charge"], 0);
  EXPECT_GT(ends["mail"], 0);
  EXPECT_GT(ends["SUCCEEDED"], 0);
}

// ---- single cases: a first life leaves something, a second one finds it ------------------------

std::string pipeline_of_the_test;  // NOLINT(runtime/string): set before the lives begin

Co<absl::Status> begins(Harness* h, CrashStore* store, World* world) {
  absl::StatusOr<JobView> job = co_await h->submit(pipeline_of_the_test, R"({"items":[1,2,3]})");
  if (!job.ok()) co_return job.status();
  world->told["id"] = (*job)->id();
  co_await sleep(absl::Milliseconds(9));
  EXPECT_GT(h->world.calls["charge"], 0);
  store->over.set();
  co_return absl::OkStatus();
}

Co<absl::Status> finds(Harness* h, CrashStore* store, World* world) {
  co_await h->engine.serving();
  absl::StatusOr<JobView> job = co_await h->engine.wait(world->told["id"], absl::InfiniteFuture());
  if (!job.ok()) co_return job.status();
  world->told["state"] = to_string((*job)->state);
  world->told["reason"] = (*job)->reason;
  world->told["message"] = (*job)->error.has_value() ? (*job)->error->message : "";
  world->told["stage state"] = to_string((*job)->stages.at(0).state);
  store->over.set();
  co_return absl::OkStatus();
}

// How often the second life called it.
int dies_in(World& world, const std::string& pipeline,
            void (*prepare_second)(Harness&) = &add_pipelines) {
  pipeline_of_the_test = pipeline;
  CrashStore first(world.kept), second(world.kept);
  (void)live(world, first, &begins, 0, &add_pipelines);
  return live(world, second, &finds, 0, prepare_second).calls["charge"];
}

TEST(IfLost, TheJobSaysWhatMayHaveHappenedAndWhatToDo) {
  World world;
  EXPECT_EQ(dies_in(world, "first"), 0);
  EXPECT_EQ(world.told["state"], "FAILED");
  EXPECT_EQ(world.told["reason"], "STAGE_LOST");
  EXPECT_EQ(world.told["stage state"], "CANCELLED");
  EXPECT_EQ(world.told["message"],
            "stage 'charge' had begun when the server ended, and may have done its work; it has "
            "`if_lost: fail`, so it is not run again: look at what it did, then submit the job "
            "once more, or give the stage `if_lost: retry` if it may run twice");
}

TEST(IfLost, ThePipelineMayHaveChangedMeanwhile) {
  for (const auto prepare :
       {+[](Harness&) {},
        +[](Harness& h) {
          h.add("pipeline: first\nstages:\n  charge: { use: test/work, with: { key: charge } }\n");
        }}) {
    World world;
    EXPECT_EQ(dies_in(world, "first", prepare), 0);
    EXPECT_EQ(world.told["reason"], "STAGE_LOST");
  }
}

TEST(IfLost, TheItemsOfAStageAreLostTogether) {
  World world;
  EXPECT_EQ(dies_in(world, "many"), 0);
  EXPECT_EQ(world.told["reason"], "STAGE_LOST");
}

TEST(IfLost, WhatWaitsForItsNextAttemptIsNotLost) {
  World world;
  EXPECT_EQ(dies_in(world, "backs_off"), 2);  // fails once in this life too
  EXPECT_EQ(world.told["state"], "SUCCEEDED");
}

Co<absl::Status> begins_and_cancels(Harness* h, CrashStore* store, World* world) {
  absl::StatusOr<JobView> job = co_await h->submit("first", "{}");
  world->told["id"] = (*job)->id();
  co_await sleep(absl::Milliseconds(9));
  store->crash_at = store->commits + 2;  // CANCELLING is kept, CANCELLED is not
  store->loses_commit = true;
  absl::StatusOr<JobView> told =
      co_await h->engine.request_cancel(world->told["id"], CancelCause::kRequested);
  EXPECT_TRUE(told.ok()) << told.status();
  co_return absl::OkStatus();
}

TEST(IfLost, AJobThatWasToldToStopEndsCancelledAsItWasTold) {
  World world;
  CrashStore first(world.kept), second(world.kept);
  (void)live(world, first, &begins_and_cancels, 0, &add_pipelines);
  EXPECT_EQ(live(world, second, &finds, 0, &add_pipelines).calls["charge"], 0);
  EXPECT_EQ(world.told["state"], "CANCELLED");
}

Co<absl::Status> is_stopped(Harness& h) {
  JobView job = co_await Try(h.submit("first", "{}"));
  co_await sleep(absl::Milliseconds(9));
  EXPECT_EQ(h.world.calls["charge"], 1);
  co_return absl::OkStatus();
}

Co<absl::Status> is_lost(Harness& h) {
  co_await h.engine.serving();
  co_await sleep(absl::Seconds(1));
  ListQuery all;
  JobPage page = co_await Try(h.engine.list(all));
  EXPECT_EQ(page.jobs.size(), 1u);
  EXPECT_EQ(page.jobs.at(0)->reason, "STAGE_LOST");
  EXPECT_EQ(h.world.calls["charge"], 0);
  co_return absl::OkStatus();
}

TEST(IfLost, AServerThatIsStoppedLosesItTooIfItDidNotEndInTime) {
  World world;
  for (const auto scenario : {&is_stopped, &is_lost}) {
    CrashStore store(world.kept);
    Harness h(3, {}, {}, &store);
    add_pipelines(h);
    h.play(scenario);
  }
}

// ---- the store ---------------------------------------------------------------------------------

Co<absl::Status> store_refuses(Harness& h) {
  h.store.durable = true;
  JobView job = co_await Try(h.submit("first", "{}"));
  h.store.failing = true;
  co_await sleep(absl::Seconds(20));
  EXPECT_EQ(h.world.started, 0);
  EXPECT_FALSE(h.engine.stats().store_healthy);
  h.store.failing = false;
  JobView done = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(done->state, kSucceeded);
  EXPECT_EQ(h.world.started, 1);
  co_return absl::OkStatus();
}
TEST(IfLost, NothingIsEnteredWhileTheStoreRefusesToKnowOfIt) {
  for_each_seed(&store_refuses, {}, [](Harness& h) {
    add_pipelines(h);
    h.store.latency = absl::Milliseconds(1);
  });
}

Co<absl::Status> costs(Harness& h) {
  h.store.recording = true;
  for (const bool durable : {false, true}) {
    h.store.durable = durable;
    h.store.committed.clear();
    JobView once = co_await Try(h.run("first", "{}"));
    EXPECT_EQ(once->state, kSucceeded);
    EXPECT_EQ(h.store.committed.size(), durable ? 3u : 2u);
    h.store.committed.clear();
    JobView other = co_await Try(h.run("test/work", "{}"));
    EXPECT_EQ(h.store.committed.size(), 2u);  // accepted, ended
  }
  h.store.durable = false;
  co_return absl::OkStatus();
}
TEST(IfLost, CostsOneCommitAndNothingWhereNothingIsKept) {
  for_each_seed(&costs, {}, &add_pipelines);
}

// ---- the plugin's process dies, and the server lives --------------------------------------------

Co<absl::StatusOr<std::string>> dies(FakeCall& call) {
  ++static_cast<StageWorld*>(call.user)->started;
  call.lost = true;
  co_return absl::UnavailableError("test/dies crashed: SIGSEGV");
}

void add_deaths(Harness& h) {
  h.stages.add("test/dies", &dies, &h.world);
  h.add("pipeline: by_stage\nstages:\n  a: { use: test/dies }\n");
  h.add("pipeline: retry\nstages:\n  a: { use: test/dies, if_lost: retry }\n");
  h.add(
      "pipeline: fail\nstages:\n  a: { use: test/dies, if_lost: fail, retry: { attempts: 9 } }\n");
}

Co<absl::Status> process_dies(Harness& h) {
  JobView by_stage = co_await Try(h.run("by_stage", "{}"));
  EXPECT_EQ(by_stage->reason, "STAGE_LOST");
  EXPECT_EQ(h.world.started, 1);
  EXPECT_NE(by_stage->error->message.find("it does not say that it may run twice"),
            std::string::npos);
  JobView retry = co_await Try(h.run("retry", "{}"));
  EXPECT_EQ(retry->reason, "STAGE_CRASHED");
  EXPECT_EQ(h.world.started, 1 + 3);
  JobView fail = co_await Try(h.run("fail", "{}"));
  EXPECT_EQ(fail->reason, "STAGE_LOST");
  EXPECT_EQ(h.world.started, 1 + 3 + 1);
  EXPECT_EQ(fail->error->message,
            "test/dies crashed: SIGSEGV; it had begun and may have done its work, and it has "
            "`if_lost: fail`, so it is not run again: look at what it did, then submit the job "
            "once more, or give the stage `if_lost: retry` if it may run twice");
  co_return absl::OkStatus();
}
TEST(IfLost, DecidesWhenTheStagesProcessDies) { for_each_seed(&process_dies, {}, &add_deaths); }

Co<absl::Status> takes_too_long(Harness& h) {
  h.add(R"(
pipeline: slow
stages:
  a: { use: test/work, timeout: 20ms, if_lost: fail, retry: { attempts: 5 }, with: { ms: 900 } }
)");
  JobView job = co_await Try(h.run("slow", "{}"));
  EXPECT_EQ(job->reason, "STAGE_TIMED_OUT");
  EXPECT_EQ(h.world.started, 1);
  co_return absl::OkStatus();
}
TEST(IfLost, AnAttemptThatWasStoppedIsNotRepeated) { for_each_seed(&takes_too_long); }

}  // namespace
}  // namespace fermata

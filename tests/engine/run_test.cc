#include <string>

#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

Co<absl::Status> bare(Harness& h) {
  JobView job = co_await Try(h.run("test/echo", R"({"b":2, "a":[1,null]})"));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  EXPECT_EQ(job->reason, "");
  EXPECT_FALSE(job->error.has_value());
  EXPECT_EQ(*job->result, R"({"b":2, "a":[1,null]})");  // byte for byte
  EXPECT_EQ(job->stages.size(), 1u);
  EXPECT_EQ(job->stages[0].state, StageState::kSucceeded);
  EXPECT_EQ(job->stages[0].done, 1);
  EXPECT_NE(job->end_time, absl::InfinitePast());
  JobView empty = co_await Try(h.run("test/none", ""));
  EXPECT_EQ(*empty->result, "null");
  EXPECT_EQ(empty->spec->input, "{}");
  co_return absl::OkStatus();
}
TEST(Run, ABareStageGetsTheInputAndGivesTheResult) { for_each_seed(&bare); }

Co<absl::Status> chain(Harness& h) {
  h.add(R"(
pipeline: chain
stages:
  a: { use: test/work, with: { ms: 10, value: { n: "${/input/n}" } } }
  b: { use: test/work, with: { ms: 20, value: ["${/stages/a/n}", "${/stages/a}"] } }
  c: { use: test/echo, with: { b: "${/stages/b/0}", text: "n is ${/input/n}" } }
)");
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.run("chain", R"({"n":7})"));
  EXPECT_EQ(*job->result, R"({"b":7,"text":"n is 7"})");
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(30));
  EXPECT_EQ(job->spec->pipeline, "chain");
  EXPECT_EQ(job->spec->pipeline_version.size(), 12u);
  co_return absl::OkStatus();
}
TEST(Run, AChainPassesOutputsOn) { for_each_seed(&chain); }

Co<absl::Status> diamond(Harness& h) {
  h.add(R"(
pipeline: diamond
stages:
  top: { use: test/work, with: { ms: 10, value: 1 } }
  left: { use: test/work, with: { ms: 30, value: ["${/stages/top}", "l"] } }
  right: { use: test/work, with: { ms: 20, value: ["${/stages/top}", "r"] } }
  alone: { use: test/work, with: { ms: 60, value: a } }
  bottom: { use: test/work, with: { ms: 5, value: ["${/stages/left}", "${/stages/right}"] } }
)");
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.run("diamond", "{}"));
  // Everything that can run together did: 10 + 30 + 5 beside 60.
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(60));
  EXPECT_EQ(*job->result, R"({"alone":"a","bottom":[[1,"l"],[1,"r"]]})");
  for (const StageProgress& stage : job->stages) {
    EXPECT_EQ(stage.state, StageState::kSucceeded) << stage.name;
    EXPECT_EQ(stage.output, nullptr) << stage.name;
  }
  co_return absl::OkStatus();
}
TEST(Run, StagesStartAsSoonAsWhatTheyWaitForIsDone) { for_each_seed(&diamond); }

Co<absl::Status> skips(Harness& h) {
  h.add(R"(
pipeline: maybe
stages:
  first: { use: test/work, when: "${/input/go}", with: { value: 1 } }
  second: { use: test/echo, with: { first: "${/stages/first}" } }
)");
  JobView off = co_await Try(h.run("maybe", R"({"go":false})"));
  EXPECT_EQ(*off->result, R"({"first":null})");
  EXPECT_EQ(off->stages[0].state, StageState::kSkipped);
  EXPECT_EQ(h.world.started, 0);
  JobView on = co_await Try(h.run("maybe", R"({"go":[0]})"));
  EXPECT_EQ(*on->result, R"({"first":1})");
  co_return absl::OkStatus();
}
TEST(Run, AStageWhoseWhenIsFalseIsSkippedAndItsOutputIsNull) { for_each_seed(&skips); }

Co<absl::Status> inline_yaml(Harness& h) {
  SubmitRequest request;
  request.pipeline_yaml = "pipeline: mine\nstages: { one: { use: test/echo, with: { n: 1 } } }\n";
  for (int i = 0; i < 2; ++i) {
    JobView job = co_await Try(h.engine.submit_and_wait(request, true));
    EXPECT_EQ(*job->result, R"({"n":1})");
    EXPECT_EQ(job->spec->pipeline, "mine");
    EXPECT_EQ(job->spec->pipeline_yaml, request.pipeline_yaml);
  }
  EXPECT_EQ(h.engine.stats().pipelines.at("(inline)").submitted, 2u);
  co_return absl::OkStatus();
}
TEST(Run, AnInlinePipelineRunsForItsJobOnly) { for_each_seed(&inline_yaml); }

Co<absl::Status> fails(Harness& h) {
  h.add(R"(
pipeline: breaks
stages:
  good: { use: test/work, with: { ms: 1 } }
  slow: { use: test/stuck }
  bad: { use: test/work, after: [good], with: { ms: 5, fail: 3 } }
  never: { use: test/echo, after: [bad] }
)");
  JobView job = co_await Try(h.run("breaks", "{}"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "STAGE_FAILED");
  EXPECT_EQ(job->result, nullptr);
  if (!job->error.has_value()) co_return absl::InternalError("a failed job without an error");
  EXPECT_EQ(job->error->code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(job->error->stage, "bad");
  EXPECT_EQ(job->error->attempts, 1);
  EXPECT_EQ(job->error->message, "told to fail");
  std::string states;
  for (const StageProgress& stage : job->stages) {
    states += stage.name + " " + std::string(to_string(stage.state)) + ", ";
  }
  EXPECT_EQ(states, "good SUCCEEDED, slow CANCELLED, bad FAILED, never CANCELLED, ");
  EXPECT_EQ(h.world.running, 0);
  co_return absl::OkStatus();
}
TEST(Run, TheFirstFailureStopsTheOtherStagesAndIsTheJobs) { for_each_seed(&fails); }

Co<absl::Status> bad_reference(Harness& h) {
  h.add(R"(
pipeline: dangling
stages: { one: { use: test/echo, with: { a: "${/input/not/there}" } } }
)");
  h.add(R"(
pipeline: bad_result
stages: { one: { use: test/echo } }
result: "${/input/not/there}"
)");
  h.add(R"(
pipeline: no_array
stages: { one: { use: test/echo, each: "${/input/n}", with: "${/item}" } }
)");
  for (const char* name : {"dangling", "bad_result", "no_array"}) {
    JobView job = co_await Try(h.run(name, R"({"n":{}})"));
    EXPECT_EQ(job->state, JobState::kFailed);
    EXPECT_EQ(job->reason, "REFERENCE_FAILED") << name;
  }
  co_return absl::OkStatus();
}
TEST(Run, AReferenceToNothingFailsTheJobAndSaysSo) { for_each_seed(&bad_reference); }

Co<absl::Status> not_json(Harness& h) {
  JobView job = co_await Try(h.run("test/broken", "{}"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "OUTPUT_INVALID");
  co_return absl::OkStatus();
}
TEST(Run, AnOutputThatIsNotJsonFailsTheJobInsteadOfBreakingItsNeighbours) {
  for_each_seed(&not_json);
}

Co<absl::Status> output_limit(Harness& h) {
  const std::string fits = "\"" + std::string(98, 'x') + "\"";
  JobView job = co_await Try(h.run("test/echo", fits));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  const std::string large = "\"" + std::string(99, 'x') + "\"";
  job = co_await Try(h.run("test/echo", large));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "OUTPUT_TOO_LARGE");
  co_return absl::OkStatus();
}
TEST(Run, AnOutputOneByteAboveTheLimitFailsTheJob) {
  EngineLimits limits;
  limits.output = 100;
  for_each_seed(&output_limit, limits);
}

Co<absl::Status> bytes_held(Harness& h) {
  const std::string big = "\"" + std::string(1500, 'x') + "\"";
  JobView job = co_await Try(h.run("test/echo", big));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "TOO_MANY_BYTES");
  EXPECT_EQ(job->error->code, absl::StatusCode::kResourceExhausted);
  co_return absl::OkStatus();
}
TEST(Run, OutputsCountAgainstTheLimitOfBytes) {
  EngineLimits limits;
  limits.bytes = 3000;
  for_each_seed(&bytes_held, limits);
}

Co<absl::Status> stage_vanishes(Harness& h) {
  h.add(R"(
pipeline: vanishes
stages:
  first: { use: test/work, with: { ms: 10 } }
  then: { use: test/echo, after: [first] }
)");
  JobView job = co_await Try(h.submit("vanishes", "{}"));
  co_await sleep(absl::Milliseconds(5));
  h.stages.remove("test/echo");
  job = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "STAGE_NOT_FOUND");
  co_return absl::OkStatus();
}
TEST(Run, AStageThatIsGoneWhenItsTurnComesFailsTheJob) { for_each_seed(&stage_vanishes); }

Co<absl::Status> run_bounded(TaskGroup& group, Harness* h) {
  for (int i = 0; i < 20; ++i) {
    group.spawn(&Harness::run, h, std::string("test/work"), std::string(R"({"ms":10})"));
  }
  co_return absl::OkStatus();
}
Co<absl::Status> running_limit(Harness& h) {
  const absl::Time began = h.clock.now();
  co_await Try(with_group(&run_bounded, &h));
  EXPECT_EQ(h.world.running_max, 3);
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(70));
  co_return absl::OkStatus();
}
TEST(Run, NeverMoreJobsAtOnceThanTheLimitAndNeverFewerThanPossible) {
  EngineLimits limits;
  limits.running = 3;
  for_each_seed(&running_limit, limits);
}

Co<absl::Status> saves_outputs(Harness& h) {
  h.store.recording = true;
  h.add(R"(
pipeline: two
stages:
  a: { use: test/work, with: { value: [1, 2] } }
  b: { use: test/work, after: [a], with: { value: 3 } }
)");
  JobView job = co_await Try(h.run("two", "{}"));
  // Accepted, after stage a, finished.
  EXPECT_EQ(h.store.committed.size(), 3u);
  EXPECT_EQ(h.store.committed.at(0)->state, JobState::kPending);
  EXPECT_EQ(*h.store.committed.at(1)->stages.at(0).output, "[1,2]");
  EXPECT_EQ(h.store.committed.at(2)->state, JobState::kSucceeded);
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_GT(h.store.committed[i]->sequence, h.store.committed[i - 1]->sequence);
  }
  co_return absl::OkStatus();
}
TEST(Run, EachFinishedStageIsStoredWithItsOutput) { for_each_seed(&saves_outputs); }

Co<absl::Status> end_not_stored(Harness& h) {
  JobView job = co_await Try(h.submit("test/work", R"({"ms":10})"));
  h.store.failing = true;
  absl::Time until = h.clock.now() + absl::Seconds(30);
  JobView waiting = co_await Try(h.engine.wait(job->id(), until));
  EXPECT_FALSE(waiting->finished());
  EXPECT_FALSE(h.engine.stats().store_healthy);
  h.store.failing = false;
  JobView done = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(done->state, JobState::kSucceeded);
  EXPECT_EQ(h.world.started, 1);
  co_return absl::OkStatus();
}
TEST(Run, AJobHasNotEndedForAnybodyBeforeItsEndIsStored) { for_each_seed(&end_not_stored); }

Co<absl::Status> stop_while_store_fails(Harness& h) {
  co_await Try(h.submit("test/work", R"({"ms":10})"));
  h.store.failing = true;
  co_await sleep(absl::Seconds(1));
  co_return absl::OkStatus();  // play() stops the engine, which must come to an end
}
TEST(Run, AStoreThatStaysBrokenDoesNotHoldUpTheShutdown) { for_each_seed(&stop_while_store_fails); }

Co<absl::Status> too_large_to_store(Harness& h) {
  h.store.result_max = 10;
  JobView fits = co_await Try(h.run("test/work", R"({"value":1234567890})"));
  EXPECT_EQ(fits->state, JobState::kSucceeded);
  JobView job = co_await Try(h.run("test/work", R"({"value":12345678901})"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "OUTPUT_TOO_LARGE");
  EXPECT_EQ(job->result, nullptr);
  EXPECT_NE(job->error->message.find("the record is too large"), std::string::npos);
  co_return absl::OkStatus();
}
TEST(Run, AResultThatTheStoreCanNeverKeepFailsTheJob) { for_each_seed(&too_large_to_store); }

}  // namespace
}  // namespace fermata

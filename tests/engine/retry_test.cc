#include <string>

#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

void add_pipelines(Harness& h) {
  h.add(R"(
pipeline: retries
stages:
  one: { use: test/work, with: "${/input}",
         retry: { attempts: 4, initial: 100ms, factor: 2, jitter: none } }
)");
  h.add(R"(
pipeline: times_out
stages:
  one: { use: test/work, with: "${/input}", timeout: 50ms,
         retry: { attempts: 3, initial: 10ms, factor: 1, jitter: none } }
)");
}

Co<absl::Status> recovers(Harness& h) {
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.run("retries", R"({"fail":14,"times":2,"value":"ok"})"));
  EXPECT_EQ(*job->result, R"("ok")");
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(300));  // 100 + 200
  EXPECT_EQ(h.world.started, 3);
  EXPECT_EQ(job->stages.at(0).retries, 2);
  const EngineStats engine = h.engine.stats();
  const StageStats& stats = engine.pipelines.at("retries").stages.at("one");
  EXPECT_EQ(stats.attempts[static_cast<size_t>(AttemptResult::kRetried)], 2u);
  EXPECT_EQ(stats.attempts[static_cast<size_t>(AttemptResult::kOk)], 1u);
  co_return absl::OkStatus();
}
TEST(Retry, ATransientFailureIsTriedAgainAfterTheBackoff) {
  for_each_seed(&recovers, {}, &add_pipelines);
}

Co<absl::Status> gives_up(Harness& h) {
  JobView job = co_await Try(h.run("retries", R"({"fail":14})"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(h.world.started, 4);
  EXPECT_EQ(job->error->attempts, 4);
  EXPECT_EQ(job->error->message, "told to fail (after 4 attempts)");
  co_return absl::OkStatus();
}
TEST(Retry, GivesUpAfterSoManyAttempts) { for_each_seed(&gives_up, {}, &add_pipelines); }

Co<absl::Status> permanent(Harness& h) {
  JobView job = co_await Try(h.run("retries", R"({"fail":3})"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(h.world.started, 1);
  co_return absl::OkStatus();
}
TEST(Retry, APermanentFailureIsNotTriedAgain) { for_each_seed(&permanent, {}, &add_pipelines); }

Co<absl::Status> asked_to_wait(Harness& h) {
  const absl::Time began = h.clock.now();
  JobView job =
      co_await Try(h.run("retries", R"({"fail":14,"times":1,"retry_after_ms":7000,"value":1})"));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  EXPECT_EQ(h.clock.now() - began, absl::Seconds(7));
  co_return absl::OkStatus();
}
TEST(Retry, WaitsAsLongAsTheDependencyAskedFor) {
  for_each_seed(&asked_to_wait, {}, &add_pipelines);
}

Co<absl::Status> times_out(Harness& h) {
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.run("times_out", R"({"ms":1000})"));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->reason, "STAGE_TIMED_OUT");
  EXPECT_EQ(job->error->code, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(h.clock.now() - began, absl::Milliseconds(3 * 50 + 2 * 10));
  EXPECT_EQ(h.world.started, 3);
  EXPECT_EQ(h.world.running_max, 1);  // each was stopped before the next began
  co_return absl::OkStatus();
}
TEST(Retry, AnAttemptThatTakesTooLongIsStoppedAndTriedAgain) {
  for_each_seed(&times_out, {}, &add_pipelines);
}

Co<absl::Status> backs_off(Harness& h) {
  JobView job = co_await Try(h.submit("retries", R"({"fail":14,"times":1})"));
  co_await sleep(absl::Milliseconds(50));
  JobView waiting = co_await Try(h.engine.get(job->id()));
  EXPECT_EQ(waiting->state, JobState::kBackingOff);
  EXPECT_EQ(h.engine.stats().jobs[static_cast<size_t>(JobState::kBackingOff)], 1);
  JobView done = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(done->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(Retry, AJobWhoseEveryCallWaitsForItsNextAttemptIsBackingOff) {
  for_each_seed(&backs_off, {}, &add_pipelines);
}

Co<absl::Status> partly(Harness& h) {
  h.add(R"(
pipeline: both
stages:
  busy: { use: test/work, with: { ms: 60 } }
  flaky: { use: test/work, with: { fail: 14, times: 1 },
           retry: { attempts: 2, initial: 100ms, jitter: none } }
)");
  JobView job = co_await Try(h.submit("both", "{}"));
  co_await sleep(absl::Milliseconds(30));
  JobView early = co_await Try(h.engine.get(job->id()));
  EXPECT_EQ(early->state, JobState::kRunning);
  co_await sleep(absl::Milliseconds(50));
  JobView late = co_await Try(h.engine.get(job->id()));
  EXPECT_EQ(late->state, JobState::kBackingOff);
  JobView done = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(done->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(Retry, AJobWithOneCallAtWorkIsRunning) { for_each_seed(&partly); }

Co<absl::Status> too_late(Harness& h) {
  SubmitRequest request = Harness::request("retries", R"({"fail":14,"retry_after_ms":60000})");
  request.timeout = absl::Seconds(5);
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.engine.submit_and_wait(std::move(request), true));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(job->error->message, "told to fail");
  EXPECT_EQ(h.clock.now(), began);
  co_return absl::OkStatus();
}
TEST(Retry, AnAttemptThatWouldComeAfterTheJobsDeadlineIsNotWaitedFor) {
  for_each_seed(&too_late, {}, &add_pipelines);
}

}  // namespace
}  // namespace fermata

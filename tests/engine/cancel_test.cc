#include <string>

#include "services/engine/errors.h"
#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

void add_pipelines(Harness& h) {
  h.add(R"(
pipeline: busy
stages:
  one: { use: test/work, with: { ms: 20, value: [1, 2, 3, 4] } }
  many: { use: test/work, each: "${/stages/one}", parallel: 2, gather: settled,
          with: { ms: 30, fail: 14, times: 3, value: "${/item}" },
          retry: { attempts: 3, initial: 20ms } }
  beside: { use: test/work, with: { ms: 70, value: b } }
  last: { use: test/work, after: [many, beside], with: { ms: 10 } }
)");
}

Co<absl::Status> running(Harness& h) {
  JobView job = co_await Try(h.submit("busy", "{}"));
  co_await sleep(absl::Milliseconds(45));
  EXPECT_GT(h.world.running, 0);
  JobView end = co_await Try(h.engine.cancel(job->id(), CancelCause::kRequested));
  EXPECT_EQ(h.world.running, 0);  // the answer came after everything had let go
  EXPECT_EQ(end->state, JobState::kCancelled);
  EXPECT_EQ(end->reason, "CANCEL_REQUESTED");
  EXPECT_EQ(end->error->code, absl::StatusCode::kCancelled);
  absl::StatusOr<JobView> again = co_await h.engine.cancel(job->id(), CancelCause::kRequested);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(detail_of(again.status())->reason, "JOB_FINISHED");
  again = co_await h.engine.cancel("no-such-job", CancelCause::kRequested);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kNotFound);
  co_return absl::OkStatus();
}
TEST(Cancel, AnswersWhenTheJobHasReallyStopped) { for_each_seed(&running, {}, &add_pipelines); }

Co<absl::Status> asked(Harness& h) {
  JobView job = co_await Try(h.submit("test/stuck", "{}"));
  co_await sleep(absl::Milliseconds(1));
  JobView told = co_await Try(h.engine.request_cancel(job->id(), CancelCause::kRequested));
  EXPECT_EQ(told->state, JobState::kCancelling);
  JobView again = co_await Try(h.engine.request_cancel(job->id(), CancelCause::kClientGone));
  EXPECT_EQ(again->reason, "CANCEL_REQUESTED");
  JobView end = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(end->state, JobState::kCancelled);
  co_return absl::OkStatus();
}
TEST(Cancel, RequestingAnswersAtOnceAndIsIdempotent) { for_each_seed(&asked); }

Co<absl::Status> not_stored(Harness& h) {
  h.store.durable = true;
  JobView job = co_await Try(h.submit("test/work", R"({"ms":1000})"));
  co_await sleep(absl::Milliseconds(1));
  h.store.fail_next = 1;
  absl::StatusOr<JobView> told =
      co_await h.engine.request_cancel(job->id(), CancelCause::kRequested);
  EXPECT_EQ(detail_of(told.status())->reason, "STORE_UNAVAILABLE");
  const std::string message(told.status().message());
  EXPECT_NE(message.find(job->id() + " is told to stop"), std::string::npos) << message;
  EXPECT_NE(message.find("the disk is full"), std::string::npos) << message;
  EXPECT_EQ(message.find("accepted"), std::string::npos) << message;
  told = co_await h.engine.cancel(job->id(), CancelCause::kRequested);
  // It has stopped already, perhaps; never is it another end.
  JobView end = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(end->state, JobState::kCancelled);
  co_return absl::OkStatus();
}
TEST(Cancel, SaysThatItCouldNotBeStoredAndNotThatTheJobWasNotAccepted) {
  for_each_seed(&not_stored);
}

Co<absl::Status> queued(Harness& h) {
  JobView first = co_await Try(h.submit("test/stuck", "{}"));
  JobView second = co_await Try(h.submit("test/work", "{}"));
  EXPECT_EQ(second->state, JobState::kPending);
  JobView end = co_await Try(h.engine.request_cancel(second->id(), CancelCause::kRequested));
  EXPECT_EQ(end->state, JobState::kCancelled);
  EXPECT_EQ(end->start_time, absl::InfinitePast());
  JobView stopped = co_await Try(h.engine.cancel(first->id(), CancelCause::kRequested));
  EXPECT_EQ(h.world.started, 1);  // the queued one never ran
  co_return absl::OkStatus();
}
TEST(Cancel, AQueuedJobEndsAtOnceWithoutHavingRun) {
  EngineLimits limits;
  limits.running = 1;
  for_each_seed(&queued, limits);
}

Co<absl::Status> backing_off(Harness& h) {
  JobView job = co_await Try(h.submit("test/work", R"({"fail":14,"retry_after_ms":3600000})"));
  co_await sleep(absl::Milliseconds(5));
  const absl::Time asked = h.clock.now();
  JobView end = co_await Try(h.engine.cancel(job->id(), CancelCause::kRequested));
  EXPECT_EQ(end->state, JobState::kCancelled);
  EXPECT_EQ(h.clock.now(), asked);
  co_return absl::OkStatus();
}
TEST(Cancel, AJobThatWaitsForItsNextAttemptStopsAtOnce) { for_each_seed(&backing_off); }

Co<absl::Status> expires(Harness& h) {
  SubmitRequest request = Harness::request("test/stuck", "{}");
  request.timeout = absl::Seconds(3);
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.engine.submit_and_wait(std::move(request), true));
  EXPECT_EQ(job->state, JobState::kExpired);
  EXPECT_EQ(job->reason, "TIMED_OUT");
  EXPECT_EQ(job->error->code, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(h.clock.now() - began, absl::Seconds(3));
  EXPECT_EQ(h.world.running, 0);
  co_return absl::OkStatus();
}
TEST(Deadline, ARunningJobIsStoppedAndExpires) { for_each_seed(&expires); }

Co<absl::Status> expires_pending(Harness& h) {
  JobView blocker = co_await Try(h.submit("test/stuck", "{}"));
  SubmitRequest late = Harness::request("test/work", "{}");
  late.timeout = absl::Seconds(9);
  JobView second = co_await Try(h.engine.submit(std::move(late)));
  SubmitRequest soon = Harness::request("test/work", "{}");
  soon.timeout = absl::Seconds(3);
  const absl::Time began = h.clock.now();
  JobView job = co_await Try(h.engine.submit_and_wait(std::move(soon), true));
  EXPECT_EQ(job->state, JobState::kExpired);
  EXPECT_EQ(job->reason, "TIMED_OUT_PENDING");
  EXPECT_EQ(h.clock.now() - began, absl::Seconds(3));
  co_await Try(h.engine.wait(second->id(), absl::InfiniteFuture()));
  EXPECT_EQ(h.clock.now() - began, absl::Seconds(9));
  EXPECT_EQ(h.world.started, 1);
  co_return absl::OkStatus();
}
TEST(Deadline, AQueuedJobExpiresOnTime) {
  EngineLimits limits;
  limits.running = 1;
  for_each_seed(&expires_pending, limits);
}

Co<absl::Status> client_gone(Harness& h) {
  SubmitRequest request = Harness::request("test/stuck", "{}");
  absl::StatusOr<JobView> gone =
      co_await timeout(absl::Milliseconds(10), h.engine.submit_and_wait(request, false));
  EXPECT_EQ(gone.status().code(), absl::StatusCode::kDeadlineExceeded);
  bool empty = co_await h.engine.drained(h.clock.now() + absl::Seconds(1));
  EXPECT_TRUE(empty);
  JobPage page = co_await Try(h.engine.list(ListQuery()));
  EXPECT_EQ(page.jobs.at(0)->reason, "CLIENT_GONE");
  gone = co_await timeout(absl::Milliseconds(10), h.engine.submit_and_wait(request, true));
  empty = co_await h.engine.drained(h.clock.now() + absl::Seconds(1));
  EXPECT_FALSE(empty);
  co_return absl::OkStatus();
}
TEST(Cancel, AJobRunForAClientEndsWithTheClientUnlessDetached) { for_each_seed(&client_gone); }

Co<absl::Status> store_refuses(Harness& h) {
  JobView running = co_await Try(h.submit("test/stuck", "{}"));
  JobView queued = co_await Try(h.submit("test/stuck", "{}"));
  h.store.failing = true;
  const absl::Time began = h.clock.now();
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<JobView> told =
        co_await h.engine.request_cancel(queued->id(), CancelCause::kRequested);
    EXPECT_EQ(told.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(detail_of(told.status())->reason, "STORE_UNAVAILABLE");
    EXPECT_NE(std::string(told.status().message()).find("the disk is full"), std::string::npos);
  }
  EXPECT_LT(h.clock.now() - began, absl::Milliseconds(50));  // the next try is after 100
  h.store.failing = false;
  JobView end = co_await Try(h.engine.wait(queued->id(), absl::InfiniteFuture()));
  EXPECT_EQ(end->state, JobState::kCancelled);
  EXPECT_EQ(h.world.started, 1);
  co_return absl::OkStatus();
}
TEST(Cancel, OfAQueuedJobAnswersAlsoWhileTheStoreRefuses) {
  EngineLimits limits;
  limits.running = 1;
  for_each_seed(&store_refuses, limits);
}

Co<absl::Status> gone_while_stored(Harness& h) {
  h.store.latency = absl::Milliseconds(100);
  SubmitRequest request = Harness::request("test/stuck", "{}");
  absl::StatusOr<JobView> gone =
      co_await timeout(absl::Milliseconds(10), h.engine.submit_and_wait(request, false));
  EXPECT_EQ(gone.status().code(), absl::StatusCode::kDeadlineExceeded);
  gone = co_await timeout(absl::Milliseconds(10), h.engine.submit_and_wait(request, true));
  co_await sleep(absl::Seconds(1));
  JobPage page = co_await Try(h.engine.list(ListQuery()));
  EXPECT_EQ(page.jobs.size(), 2u);
  EXPECT_EQ(page.jobs.at(0)->state, JobState::kRunning);
  EXPECT_EQ(page.jobs.at(1)->reason, "CLIENT_GONE");
  EXPECT_EQ(h.world.started, 1);
  co_return absl::OkStatus();
}
TEST(Cancel, AClientThatLeavesWhileItsJobIsStoredLeavesNothingRunning) {
  for_each_seed(&gone_while_stored);
}

Co<absl::Status> run_for(Harness* h, absl::Duration patience) {
  SubmitRequest request = Harness::request("test/stuck", "{}");
  request.request_id = "shared";
  absl::StatusOr<JobView> gone =
      co_await timeout(patience, h->engine.submit_and_wait(std::move(request), false));
  co_return absl::OkStatus();
}
Co<absl::Status> run_three(TaskGroup& group, Harness* h) {
  for (int i = 1; i <= 3; ++i) group.spawn(&run_for, h, absl::Milliseconds(100 * i));
  co_await sleep(absl::Milliseconds(250));
  EXPECT_EQ(h->world.running, 1);
  co_await sleep(absl::Milliseconds(100));
  EXPECT_EQ(h->world.running, 0);
  EXPECT_EQ(h->world.started, 1);
  co_return absl::OkStatus();
}
Co<absl::Status> last_client(Harness& h) { co_return co_await with_group(&run_three, &h); }
TEST(Cancel, AJobSharedByRequestIdEndsWithTheLastOfItsClients) { for_each_seed(&last_client); }

// The sweep: cancel at every moment of a busy pipeline's life, in 1 ms steps and between any two
// steps of the loop (the seeds). play() checks that nothing is left.
Co<absl::Status> cancel_at(Harness& h) {
  const auto ms = static_cast<int64_t>(h.seed % 150);
  if (h.seed % 3 == 0) h.store.latency = absl::Milliseconds(2);
  JobView job = co_await Try(h.submit("busy", "{}"));
  co_await sleep(absl::Milliseconds(ms));
  absl::StatusOr<JobView> end = co_await h.engine.cancel(job->id(), CancelCause::kRequested);
  if (!end.ok()) {
    EXPECT_EQ(end.status().code(), absl::StatusCode::kFailedPrecondition);
    co_return absl::OkStatus();
  }
  const bool either =
      (*end)->state == JobState::kCancelled || (*end)->state == JobState::kSucceeded;
  EXPECT_TRUE(either) << to_string((*end)->state);
  EXPECT_EQ(h.world.running, 0);
  EXPECT_EQ(h.engine.stats().bytes, 0u);
  co_return absl::OkStatus();
}
TEST(Cancel, AtAnyMomentLeavesNothingBehind) {
  for (uint64_t seed = 0; seed < 600; ++seed) {
    Harness harness(seed);
    add_pipelines(harness);
    harness.play(&cancel_at);
    if (HasFailure()) break;
  }
}

// The whole engine cancelled from outside, at any moment: run() ends, and so does everything.
Co<absl::Status> serve_for_a_while(TaskGroup& group, Harness* h) {
  group.spawn_named("engine", &Engine::run, &h->engine);
  for (int i = 0; i < 4; ++i) {
    group.spawn(&Harness::run, h, std::string("busy"), std::string("{}"));
  }
  co_await sleep(absl::Milliseconds(static_cast<int64_t>(h->seed % 120)));
  group.cancel();
  co_return absl::OkStatus();
}
Co<absl::Status> pulled_plug(Harness* h) { co_return co_await with_group(&serve_for_a_while, h); }
TEST(Cancel, AnEngineCancelledFromOutsideEndsWithAllItsJobs) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    EngineLimits limits;
    limits.running = 2;
    Harness h(seed, limits);
    add_pipelines(h);
    if (seed % 2 == 0) h.store.latency = absl::Milliseconds(3);
    const absl::Status status = h.loop.run(&pulled_plug, &h);
    EXPECT_TRUE(status.ok()) << "seed " << seed << ": " << status;
    EXPECT_EQ(h.world.running, 0);
    EXPECT_EQ(h.engine.stats().bytes, 0u);
    EXPECT_EQ(h.loop.stats().live_tasks, 0u);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace fermata

// How an engine ends: what it finishes, what it refuses, what it leaves to its next life, and what
// those are told who wait.
#include <string>

#include "services/engine/errors.h"
#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

std::string reason_of(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = detail_of(status);
  return detail.has_value() ? detail->reason : status.ToString();
}

// "DRAINING" with the job it is about.
std::string told_of(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = detail_of(status);
  if (!detail.has_value()) return status.ToString();
  EXPECT_TRUE(detail->retry_delay.has_value());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  const auto job = detail->metadata.find("job");
  return detail->reason + " " + (job == detail->metadata.end() ? "" : job->second);
}

Co<absl::Status> drains(Harness& h) {
  JobView job = co_await Try(h.submit("test/work", R"({"ms":100})"));
  h.engine.begin_drain();
  absl::StatusOr<JobView> refused = co_await h.submit("test/echo", "{}");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reason_of(refused.status()), "DRAINING");
  bool empty = co_await h.engine.drained(h.clock.now() + absl::Milliseconds(10));
  EXPECT_FALSE(empty);
  empty = co_await h.engine.drained(h.clock.now() + absl::Seconds(10));
  EXPECT_TRUE(empty);
  JobView done = co_await Try(h.engine.get(job->id()));
  EXPECT_EQ(done->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(Drain, RefusesNewJobsAndWaitsForTheOthers) { for_each_seed(&drains); }

Co<absl::Status> stops(Harness& h) {
  JobView running = co_await Try(h.submit("test/stuck", "{}"));
  JobView queued = co_await Try(h.submit("test/stuck", "{}"));
  h.engine.stop();
  bool empty = co_await h.engine.drained(absl::InfiniteFuture());
  EXPECT_TRUE(empty);
  for (const JobView& job : {running, queued}) {
    JobView end = co_await Try(h.engine.get(job->id()));
    EXPECT_EQ(end->state, JobState::kCancelled);
    EXPECT_EQ(end->reason, "SHUTDOWN");
  }
  co_return absl::OkStatus();
}
TEST(Drain, StopCancelsWhatIsLeftRunningOrQueued) {
  EngineLimits limits;
  limits.running = 1;
  for_each_seed(&stops, limits);
}

// ---- what the store keeps -----------------------------------------------------------------------

struct Told {
  std::string run, wait, wait_long, watch;
};

Co<absl::Status> runs(Harness* h, Told* told) {
  absl::StatusOr<JobView> job = co_await h->run("test/stuck", "{}");
  told->run = job.ok() ? to_string((*job)->state) : told_of(job.status());
  co_return absl::OkStatus();
}

Co<absl::Status> waits(Harness* h, std::string id, absl::Duration patience, std::string* told) {
  const absl::Time until = h->clock.now() + patience;
  absl::StatusOr<JobView> job = co_await h->engine.wait(std::move(id), until);
  *told = job.ok() ? to_string((*job)->state) : told_of(job.status());
  co_return absl::OkStatus();
}

Co<absl::Status> watches(Harness* h, std::string id, std::string* told) {
  Watch watch = co_await Try(h->engine.watch(std::move(id), 0));
  for (;;) {
    std::optional<JobEvent> event = co_await watch.next();
    if (!event.has_value()) break;
    *told = event->kind == JobEventKind::kFinished ? "finished" : "news";
  }
  *told += watch.left() ? ", left" : ", over";
  co_return absl::OkStatus();
}

Co<absl::Status> stop_with_waiters(TaskGroup& group, Harness* h, Told* told, std::string* id) {
  group.spawn(&runs, h, told);
  co_await sleep(absl::Milliseconds(10));
  JobPage page = co_await Try(h->engine.list(ListQuery()));
  *id = page.jobs.at(0)->id();
  group.spawn(&waits, h, *id, absl::InfiniteDuration(), &told->wait);
  group.spawn(&waits, h, *id, absl::Hours(1), &told->wait_long);
  group.spawn(&watches, h, *id, &told->watch);
  co_await sleep(absl::Milliseconds(10));
  h->engine.stop();
  co_return absl::OkStatus();
}

Co<absl::Status> tells_of_what_it_leaves(Harness& h) {
  h.store.durable = true;
  Told told;
  std::string id;
  co_await Try(with_group(&stop_with_waiters, &h, &told, &id));
  EXPECT_EQ(told.run, "DRAINING " + id);
  EXPECT_EQ(told.wait, "DRAINING " + id);
  EXPECT_EQ(told.wait_long, "DRAINING " + id);
  EXPECT_EQ(told.watch, "news, left");
  // Who asks now is told the same, and Get still answers.
  absl::StatusOr<JobView> late = co_await h.engine.wait(id, absl::InfiniteFuture());
  EXPECT_EQ(told_of(late.status()), "DRAINING " + id);
  JobView kept = co_await Try(h.engine.get(id));
  EXPECT_FALSE(kept->finished());
  co_return absl::OkStatus();
}
TEST(Leaving, WhoWaitsOrWatchesIsToldThatTheJobHasNotEnded) {
  for_each_seed(&tells_of_what_it_leaves);
}

Co<absl::Status> tells_of_what_it_ends(Harness& h) {
  Told told;
  std::string id;
  co_await Try(with_group(&stop_with_waiters, &h, &told, &id));
  EXPECT_EQ(told.run, "CANCELLED");
  EXPECT_EQ(told.wait, "CANCELLED");
  EXPECT_EQ(told.watch, "finished, over");
  co_return absl::OkStatus();
}
TEST(Leaving, AJobThatWouldBeLostEndsAndItsEndIsTold) { for_each_seed(&tells_of_what_it_ends); }

// ---- what begins in a drain ---------------------------------------------------------------------

Co<absl::Status> begins_nothing(Harness& h) {
  h.store.durable = true;
  JobView running = co_await Try(h.submit("test/work", R"({"ms":50})"));
  JobView queued = co_await Try(h.submit("test/work", R"({"ms":50})"));
  co_await sleep(absl::Milliseconds(10));
  h.engine.begin_drain();
  const absl::Time began = h.clock.now();
  bool rested = co_await h.engine.drained(h.clock.now() + absl::Hours(1));
  EXPECT_TRUE(rested);
  EXPECT_LT(h.clock.now() - began, absl::Milliseconds(50));
  EXPECT_EQ(h.world.started, 1);
  JobView done = co_await Try(h.engine.get(running->id()));
  EXPECT_EQ(done->state, JobState::kSucceeded);
  // It can still be asked for, and be told to stop.
  JobView left = co_await Try(h.engine.get(queued->id()));
  EXPECT_EQ(left->state, JobState::kPending);
  JobView cancelled = co_await Try(h.engine.cancel(queued->id(), CancelCause::kRequested));
  EXPECT_EQ(cancelled->state, JobState::kCancelled);
  co_return absl::OkStatus();
}
TEST(Drain, OfWhatTheStoreKeepsNoJobBegins) {
  EngineLimits limits;
  limits.running = 1;
  for_each_seed(&begins_nothing, limits);
}

Co<absl::Status> runs_what_would_be_lost(Harness& h) {
  JobView running = co_await Try(h.submit("test/work", R"({"ms":50})"));
  JobView queued = co_await Try(h.submit("test/work", R"({"ms":50})"));
  h.engine.begin_drain();
  bool rested = co_await h.engine.drained(h.clock.now() + absl::Hours(1));
  EXPECT_TRUE(rested);
  JobView done = co_await Try(h.engine.get(queued->id()));
  EXPECT_EQ(done->state, JobState::kSucceeded);
  co_return absl::OkStatus();
}
TEST(Drain, WhatWouldBeLostStillRuns) {
  EngineLimits limits;
  limits.running = 1;
  for_each_seed(&runs_what_would_be_lost, limits);
}

// `pay` may not begin, `slow` goes on until it has ended: then the job is at rest.
Co<absl::Status> holds(Harness& h) {
  h.store.durable = true;
  JobView job = co_await Try(h.submit("pays", "{}"));
  co_await sleep(absl::Milliseconds(10));
  h.engine.begin_drain();
  const absl::Time began = h.clock.now();
  bool rested = co_await h.engine.drained(h.clock.now() + absl::Hours(1));
  EXPECT_TRUE(rested);
  EXPECT_GE(h.clock.now() - began, absl::Milliseconds(50));
  EXPECT_LT(h.clock.now() - began, absl::Milliseconds(500));
  JobView held = co_await Try(h.engine.get(job->id()));
  EXPECT_EQ(held->state, JobState::kRunning);
  EXPECT_EQ(h.world.calls["pay"], 0);
  EXPECT_EQ(h.world.calls["after"], 1);
  for (const StageProgress& stage : held->stages) EXPECT_FALSE(stage.begun);
  co_return absl::OkStatus();
}
TEST(Drain, NoStageIsEnteredThatMustNotBeLost) {
  for_each_seed(&holds, {}, [](Harness& h) {
    h.add(R"(
pipeline: pays
stages:
  first: { use: test/work, with: { ms: 20 } }
  slow: { use: test/work, with: { ms: 50 } }
  after: { use: test/work, after: [slow], with: { ms: 20, key: after } }
  pay: { use: test/work, after: [first], if_lost: fail, with: { key: pay } }
)");
  });
}

}  // namespace
}  // namespace fermata

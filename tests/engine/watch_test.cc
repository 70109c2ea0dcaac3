#include <string>
#include <vector>

#include "services/engine/event_log.h"
#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

std::string name_of(const JobEvent& event) {
  switch (event.kind) {
    case JobEventKind::kSnapshot:
      return "snapshot " + std::string(to_string(event.job->state));
    case JobEventKind::kStateChanged:
      return std::string(to_string(event.state));
    case JobEventKind::kStage:
      return event.stage.name + " " + std::string(to_string(event.stage.state));
    case JobEventKind::kRetry:
      return event.stage.name + " retry: " + event.message;
    case JobEventKind::kProgress:
      return event.stage.name + " progress";
    case JobEventKind::kFinished:
      return "finished " + std::string(to_string(event.job->state));
    default:
      return "?";
  }
}

// Reads to the end. Sequences must go up, and each event's state must be legal after the last.
Co<absl::StatusOr<std::string>> read_all(Watch& watch) {
  std::string all;
  int64_t last = 0;
  for (;;) {
    std::optional<JobEvent> event = co_await watch.next();
    if (!event.has_value()) co_return all;
    EXPECT_GT(event->sequence, last);
    last = event->sequence;
    all += name_of(*event) + "\n";
  }
}

void add_pipelines(Harness& h) {
  h.add(R"(
pipeline: two
stages:
  a: { use: test/work, with: { ms: 200, fail: 14, times: 1 },
       retry: { attempts: 2, initial: 500ms, jitter: none } }
  b: { use: test/echo, after: [a] }
)");
}

Co<absl::Status> tells(Harness& h) {
  JobView blocker = co_await Try(h.submit("test/work", R"({"ms":1000})"));
  JobView job = co_await Try(h.submit("two", "{}"));
  Watch watch = co_await Try(h.engine.watch(job->id(), 0));
  EXPECT_EQ(h.engine.stats().watchers, 1);
  std::string all = co_await Try(read_all(watch));
  EXPECT_EQ(all,
            "snapshot PENDING\n"
            "RUNNING\n"
            "a RUNNING\n"
            "a progress\n"
            "BACKING_OFF\n"
            "RUNNING\n"
            "a progress\n"
            "a SUCCEEDED\n"
            "b RUNNING\n"
            "b SUCCEEDED\n"
            "finished SUCCEEDED\n");
  co_return absl::OkStatus();
}
TEST(Watch, TellsAJobsWholeLifeInOrder) {
  EngineLimits limits;
  limits.running = 1;
  for_each_seed(&tells, limits, &add_pipelines);
}

Co<absl::Status> resumes(Harness& h) {
  JobView job = co_await Try(h.submit("two", "{}"));
  Watch first = co_await Try(h.engine.watch(job->id(), 0));
  std::vector<JobEvent> events;
  for (int i = 0; i < 3; ++i) {
    std::optional<JobEvent> event = co_await first.next();
    events.push_back(*std::move(event));
  }
  Watch again = co_await Try(h.engine.watch(job->id(), events.at(1).sequence));
  std::optional<JobEvent> next = co_await again.next();
  EXPECT_EQ(next->sequence, events.at(2).sequence);
  EXPECT_EQ(next->kind, events.at(2).kind);
  Watch future = co_await Try(h.engine.watch(job->id(), 1000000));
  next = co_await future.next();
  EXPECT_EQ(next->kind, JobEventKind::kSnapshot);
  co_return absl::OkStatus();
}
TEST(Watch, GoesOnAfterTheSequenceItNames) { for_each_seed(&resumes, {}, &add_pipelines); }

Co<absl::Status> after_the_end(Harness& h) {
  JobView job = co_await Try(h.run("test/echo", "{}"));
  Watch watch = co_await Try(h.engine.watch(job->id(), 0));
  std::optional<JobEvent> event = co_await watch.next();
  EXPECT_EQ(event->kind, JobEventKind::kFinished);
  EXPECT_EQ(event->job->id(), job->id());
  event = co_await watch.next();
  EXPECT_FALSE(event.has_value());
  Watch seen = co_await Try(h.engine.watch(job->id(), job->sequence));
  event = co_await seen.next();
  EXPECT_FALSE(event.has_value());
  absl::StatusOr<Watch> missing = co_await h.engine.watch("nope", 0);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  co_return absl::OkStatus();
}
TEST(Watch, OfAFinishedJobGivesItsEndAndNothingElse) { for_each_seed(&after_the_end); }

Co<absl::Status> slow_reader(Harness& h) {
  h.add(R"(
pipeline: long
stages:
  each: { use: test/work, each: "${/input}", with: { ms: 150 }, parallel: 1 }
)");
  JobView job = co_await Try(h.submit("long", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]"));
  Watch slow = co_await Try(h.engine.watch(job->id(), 0));
  std::optional<JobEvent> event = co_await slow.next();
  EXPECT_EQ(event->kind, JobEventKind::kSnapshot);
  co_await sleep(absl::Milliseconds(1500));
  event = co_await slow.next();
  EXPECT_EQ(event->kind, JobEventKind::kSnapshot);
  EXPECT_GE(event->job->stages.at(0).done, 9);
  const int64_t done = event->job->stages.at(0).done;
  event = co_await slow.next();
  EXPECT_EQ(event->kind, JobEventKind::kProgress);
  event = co_await slow.next();
  EXPECT_EQ(event->stage.done, done + 1);
  co_return absl::OkStatus();
}
TEST(Watch, ASlowReaderGetsASnapshotInPlaceOfWhatItMissed) {
  EngineLimits limits;
  limits.events = 4;
  for_each_seed(&slow_reader, limits);
}

Co<absl::Status> leaves(Harness& h) {
  JobView job = co_await Try(h.submit("test/work", R"({"ms":100,"value":1})"));
  Watch watch = co_await Try(h.engine.watch(job->id(), job->sequence));
  for (int i = 0; i < 20; ++i) {
    absl::StatusOr<std::optional<JobEvent>> event =
        co_await timeout(absl::Milliseconds(1), watch.next());
  }
  JobView done = co_await Try(h.engine.wait(job->id(), absl::InfiniteFuture()));
  EXPECT_EQ(*done->result, "1");
  std::string rest = co_await Try(read_all(watch));
  EXPECT_NE(rest.find("finished SUCCEEDED"), std::string::npos);
  co_return absl::OkStatus();
}
TEST(Watch, ACancelledReadLosesNothingAndDoesNotTouchTheJob) { for_each_seed(&leaves); }

TEST(EventLog, NeverHoldsMoreThanItsCapacity) {
  SimLoop loop;
  auto readers = std::make_shared<int64_t>(0);
  EventLog log(3, 0, [] { return JobView(); }, readers);
  for (int64_t sequence = 1; sequence <= 10; ++sequence) {
    JobEvent event;
    event.sequence = sequence;
    event.kind = sequence == 10 ? JobEventKind::kFinished : JobEventKind::kLog;
    log.add(std::move(event));
  }
  EXPECT_EQ(log.next(7)->sequence, 8);
  EXPECT_EQ(log.next(9)->sequence, 10);
  EXPECT_FALSE(log.next(10).has_value());
  log.close();
  EXPECT_EQ(log.next(2)->sequence, 10);  // too far behind: the end is what is left to tell
  EXPECT_FALSE(log.left());
}

TEST(EventLog, ThatIsClosedBeforeTheEndWasLeft) {
  SimLoop loop;
  EventLog log(1, 0, [] { return JobView(); }, std::make_shared<int64_t>(0));
  for (int64_t sequence = 1; sequence <= 2; ++sequence) {
    JobEvent event;
    event.sequence = sequence;
    event.kind = JobEventKind::kLog;
    log.add(std::move(event));
  }
  EXPECT_FALSE(log.left());
  log.close();
  EXPECT_TRUE(log.left());
  EXPECT_EQ(log.next(1)->sequence, 2);
  EXPECT_FALSE(log.next(0).has_value());  // no gap without notice: there is no snapshot any more
}

}  // namespace
}  // namespace fermata

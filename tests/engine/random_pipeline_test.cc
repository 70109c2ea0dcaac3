// Random pipelines, several jobs at once, against the plain model; some are cancelled, some expire,
// the store is slow or fails now and then. What must hold in any case is checked at every event.
#include "tests/engine/random_pipeline.h"

#include <string>

#include "services/engine/state_machine.h"
#include "tests/engine/engine_harness.h"

namespace fermata {
namespace {

constexpr int kJobs = 6;
constexpr size_t kRunningMax = 3;

struct Trial {
  explicit Trial(Harness& h) : h(h), random(h.seed * 7919 + 1), pipeline(random, "random") {}
  Harness& h;
  std::mt19937_64 random;
  RandomPipeline pipeline;
};

// Reads a job's events to the end: legal transitions, ascending sequences, one end.
Co<absl::Status> watch_job(Trial* trial, std::string id) {
  Watch watch = co_await Try(trial->h.engine.watch(id, 0));
  int64_t sequence = 0;
  JobState state = JobState::kUnspecified;
  bool finished = false;
  for (;;) {
    std::optional<JobEvent> event = co_await watch.next();
    if (!event.has_value()) break;
    EXPECT_FALSE(finished) << "an event after the end";
    EXPECT_GT(event->sequence, sequence);
    sequence = event->sequence;
    const bool legal = state == JobState::kUnspecified || state == event->state ||
                       event->kind == JobEventKind::kSnapshot || may_follow(state, event->state);
    EXPECT_TRUE(legal) << to_string(state) << " to " << to_string(event->state);
    state = event->state;
    finished = event->kind == JobEventKind::kFinished;
    EXPECT_LE(trial->h.engine.stats().running, kRunningMax);
  }
  EXPECT_TRUE(finished);
  EXPECT_TRUE(is_finished(state));
  co_return absl::OkStatus();
}

void check_end(const Trial& trial, const JobRecord& job) {
  // With a deadline any call may find that there is no time left to try again.
  const bool hurried = job.spec->deadline != absl::InfiniteFuture();
  const std::set<std::string> failures = trial.pipeline.possible_failures();
  if (job.state == JobState::kSucceeded) {
    EXPECT_TRUE(failures.empty()) << "stage " << *failures.begin() << " should have failed";
    absl::StatusOr<JsonDocument> result = parse_json(*job.result);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(trial.pipeline.problem(*result), "");
    for (const StageProgress& stage : job.stages) {
      const bool done =
          stage.state == StageState::kSucceeded || stage.state == StageState::kSkipped;
      EXPECT_TRUE(done) << stage.name << " is " << to_string(stage.state);
    }
  } else if (job.state == JobState::kFailed) {
    ASSERT_TRUE(job.error.has_value());
    const bool planned = failures.count(job.error->stage) == 1;
    EXPECT_TRUE(planned || hurried) << job.error->stage << ": " << job.error->message;
  }
}

Co<absl::Status> live_job(Trial* trial, TaskGroup* group, int number) {
  Harness& h = trial->h;
  co_await sleep(absl::Milliseconds(trial->random() % 30));
  SubmitRequest request = Harness::request("random", trial->pipeline.input(number));
  const uint64_t fate = trial->random() % 6;
  const auto when = absl::Milliseconds(trial->random() % 120);
  if (fate == 0) request.timeout = when + absl::Milliseconds(1);
  absl::StatusOr<JobView> job = co_await h.engine.submit(std::move(request));
  if (!job.ok()) {
    EXPECT_EQ(job.status().code(), absl::StatusCode::kUnavailable) << job.status();
    co_return absl::OkStatus();
  }
  const std::string id = (*job)->id();
  group->spawn(&watch_job, trial, id);
  if (fate == 1) {
    co_await sleep(when);
    job = co_await h.engine.cancel(id, CancelCause::kRequested);
    EXPECT_TRUE(job.ok() || job.status().code() == absl::StatusCode::kFailedPrecondition);
  }
  JobView end = co_await Try(h.engine.wait(id, absl::InfiniteFuture()));
  const bool natural = end->state == JobState::kSucceeded || end->state == JobState::kFailed;
  const bool expected = natural || (fate == 0 && end->state == JobState::kExpired) ||
                        (fate == 1 && end->state == JobState::kCancelled);
  EXPECT_TRUE(expected) << to_string(end->state) << " " << end->reason;
  check_end(*trial, *end);
  for (const RandomStage& stage : trial->pipeline.stages()) {
    const std::string group_name = RandomPipeline::group(number, stage);
    EXPECT_LE(h.world.running_by_max[group_name], stage.each ? stage.parallel : 1);
    EXPECT_EQ(h.world.running_by[group_name], 0) << "a call runs on after its job's end";
  }
  co_return absl::OkStatus();
}

Co<absl::Status> live_jobs(TaskGroup& group, Trial* trial) {
  for (int i = 0; i < kJobs; ++i) group.spawn(&live_job, trial, &group, i);
  co_return absl::OkStatus();
}

Co<absl::Status> trial_of(Harness& h) {
  Trial trial(h);
  h.add(trial.pipeline.yaml());
  h.store.recording = true;
  if (h.seed % 2 == 1) h.store.latency = absl::Milliseconds(trial.random() % 4);
  if (h.seed % 5 == 0) h.store.fail_next = static_cast<int>(trial.random() % 6);
  co_await Try(with_group(&live_jobs, &trial));
  std::map<std::string, int> ends;
  for (const JobView& record : h.store.committed) ends[record->id()] += record->finished();
  for (const auto& [id, count] : ends) EXPECT_EQ(count, 1) << id;
  co_return absl::OkStatus();
}

TEST(RandomPipeline, DoesWhatThePlainModelDoes) {
  EngineLimits limits;
  limits.running = kRunningMax;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Harness harness(seed, limits);
    harness.play(&trial_of);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace fermata

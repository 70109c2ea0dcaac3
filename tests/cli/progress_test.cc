#include <string>
#include <vector>

#include "fermata/v1/jobs.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/cli/job_progress.h"
#include "services/cli/progress_block.h"
#include "services/cli/progress_lines.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
constexpr TerminalSize kWide = {100, 24};

void set_time(absl::Time from, google::protobuf::Timestamp* to) {
  to->set_seconds(absl::ToUnixSeconds(from));
  to->set_nanos(static_cast<int32_t>(absl::ToUnixNanos(from) % 1'000'000'000));
}

v1::StageProgress stage(const char* name, v1::StageProgress::State state, int64_t done,
                        int64_t total) {
  v1::StageProgress progress;
  progress.set_name(name);
  progress.set_state(state);
  progress.set_done(done);
  progress.set_total(total);
  if (state != v1::StageProgress::WAITING) set_time(kStart, progress.mutable_start_time());
  return progress;
}

// Events of one job, numbered and timed; the server's clock is `ahead` of ours.
class Script {
 public:
  explicit Script(absl::Duration ahead = absl::ZeroDuration()) : ahead_(ahead) {}

  ProgressNews snapshot() {
    v1::JobEvent event = next(v1::JobEvent::SNAPSHOT, v1::Job::RUNNING);
    v1::Job& job = *event.mutable_job();
    job.set_name("jobs/1");
    job.set_pipeline("scrape");
    job.set_state(v1::Job::RUNNING);
    set_time(kStart + ahead_, job.mutable_create_time());
    *job.add_stages() = stage("fetch", v1::StageProgress::RUNNING, 0, 240);
    *job.add_stages() = stage("links", v1::StageProgress::WAITING, 0, 0);
    return apply(event, now_, &progress_);
  }
  ProgressNews fetched(int64_t done, int64_t failed = 0, int64_t retries = 0,
                       v1::StageProgress::State state = v1::StageProgress::RUNNING) {
    v1::JobEvent event = next(v1::JobEvent::STAGE, v1::Job::RUNNING);
    *event.mutable_stage() = stage("fetch", state, done, 240);
    event.mutable_stage()->set_failed(failed);
    event.mutable_stage()->set_retries(retries);
    return apply(event, now_, &progress_);
  }
  ProgressNews retry(const char* message) {
    v1::JobEvent event = next(v1::JobEvent::RETRY, v1::Job::RUNNING);
    *event.mutable_stage() = stage("fetch", v1::StageProgress::RUNNING, 1, 240);
    event.set_message(message);
    return apply(event, now_, &progress_);
  }
  ProgressNews finished(v1::Job::State state) {
    v1::JobEvent event = next(v1::JobEvent::FINISHED, state);
    v1::Job& job = *event.mutable_job();
    job.set_name("jobs/1");
    job.set_pipeline("scrape");
    job.set_state(state);
    set_time(kStart + ahead_, job.mutable_create_time());
    set_time(now_ + ahead_, job.mutable_end_time());
    *job.add_stages() = stage("fetch", v1::StageProgress::SUCCEEDED, 240, 240);
    *job.add_stages() = stage("links", v1::StageProgress::SUCCEEDED, 1, 1);
    return apply(event, now_, &progress_);
  }
  void advance(absl::Duration by) { now_ += by; }
  absl::Time now() const { return now_; }
  const JobProgress& progress() const { return progress_; }

 private:
  v1::JobEvent next(v1::JobEvent::Kind kind, v1::Job::State state) {
    v1::JobEvent event;
    event.set_kind(kind);
    event.set_state(state);
    event.set_sequence(++sequence_);
    set_time(now_ + ahead_, event.mutable_time());
    return event;
  }

  absl::Duration ahead_;
  absl::Time now_ = kStart;
  int64_t sequence_ = 0;
  JobProgress progress_;
};

TEST(JobProgress, ElapsedTimeIsRightWhenTheServersClockIsNot) {
  Script script(absl::Hours(-3));
  script.snapshot();
  script.advance(absl::Seconds(4));
  EXPECT_EQ(script.progress().elapsed(script.now()), absl::Seconds(4));
  script.finished(v1::Job::SUCCEEDED);
  script.advance(absl::Hours(1));
  EXPECT_EQ(script.progress().elapsed(script.now()), absl::Seconds(4));
}

TEST(JobProgress, ALogEventLeavesTheNumbersOfItsStage) {
  Script script;
  script.snapshot();
  script.fetched(17);
  JobProgress progress = script.progress();
  v1::JobEvent event;
  event.set_kind(v1::JobEvent::LOG);
  event.mutable_stage()->set_name("fetch");
  event.set_message("hi\x1b[2J");
  EXPECT_EQ(apply(event, kStart, &progress).message, "hi?[2J");
  EXPECT_EQ(progress.stages.at(0).done, 17);
  EXPECT_EQ(progress.state, "RUNNING");
}

TEST(JobProgress, AStageNobodyAnnouncedIsAdded) {
  JobProgress progress;
  v1::JobEvent event;
  event.set_kind(v1::JobEvent::STAGE);
  *event.mutable_stage() = stage("late", v1::StageProgress::RUNNING, 0, 1);
  EXPECT_EQ(apply(event, kStart, &progress).stage, 0);
  EXPECT_EQ(progress.stages.at(0).name, "late");
}

TEST(ProgressLines, SayEachChangeOnceAndCountsAtMostOnceASecond) {
  Script script;
  ProgressLines lines;
  EXPECT_THAT(lines.lines_for(script.snapshot(), script.progress()),
              ElementsAre("jobs/1 RUNNING", "fetch: RUNNING, 0/240"));
  script.advance(absl::Milliseconds(500));
  EXPECT_THAT(lines.lines_for(script.fetched(10), script.progress()), IsEmpty());
  script.advance(absl::Milliseconds(500));
  EXPECT_THAT(lines.lines_for(script.fetched(24, 1, 2), script.progress()),
              ElementsAre("fetch: RUNNING, 24/240, 1 failed, 2 retried"));
  script.advance(absl::Milliseconds(10));
  EXPECT_THAT(
      lines.lines_for(script.fetched(240, 3, 2, v1::StageProgress::SUCCEEDED), script.progress()),
      ElementsAre("fetch: SUCCEEDED, 240/240, 3 failed, 2 retried, 1.0s"));
}

TEST(ProgressLines, SayRetriesAtMostOnceASecond) {
  Script script;
  ProgressLines lines;
  lines.lines_for(script.snapshot(), script.progress());
  EXPECT_THAT(lines.lines_for(script.retry("refused"), script.progress()),
              ElementsAre("fetch: retry after refused"));
  EXPECT_THAT(lines.lines_for(script.retry("refused"), script.progress()), IsEmpty());
}

TEST(ProgressLines, EndWithTheOutcomeAndTheTimeItTook) {
  Script script;
  ProgressLines lines;
  lines.lines_for(script.snapshot(), script.progress());
  script.advance(absl::Seconds(3));
  EXPECT_EQ(lines.lines_for(script.finished(v1::Job::FAILED), script.progress()).back(),
            "jobs/1 FAILED after 3.0s");
}

TEST(ProgressBlock, ShowsEveryStageInColumns) {
  Script script;
  script.snapshot();
  script.fetched(120, 12, 5);
  const auto block = progress_block(script.progress(), kStart + absl::Seconds(3), kWide, false);
  EXPECT_THAT(block,
              ElementsAre("scrape  jobs/1  RUNNING  3.0s",
                          "  ● fetch  ━━━━━━━━━━──────────  120/240  12 failed  5 retried  3.0s",
                          "  · links"));
}

TEST(ProgressBlock, ShowsOneFailureOfManyInTheBar) {
  Script script;
  script.snapshot();
  script.fetched(240, 1);
  const auto block = progress_block(script.progress(), kStart, kWide, true);
  EXPECT_THAT(block.at(1), HasSubstr("\x1b[31m━\x1b[0m"));
}

TEST(ProgressBlock, NeverLeavesTheTerminalAtAnySize) {
  Script script;
  script.snapshot();
  script.retry("a rather long message that would not fit on a narrow terminal at all");
  for (int columns = 1; columns < 120; ++columns) {
    for (int rows = 2; rows < 8; ++rows) {
      const auto block = progress_block(script.progress(), kStart, {columns, rows}, false);
      EXPECT_LT(block.size(), static_cast<size_t>(rows));
      for (const std::string& line : block) EXPECT_LE(display_width(line), columns) << line;
    }
  }
}

TEST(ProgressBlock, CountsTheStagesThatDoNotFitAndKeepsRunningOnes) {
  JobProgress progress;
  for (int i = 0; i < 10; ++i) {
    StageView view;
    view.name = "s" + std::to_string(i);
    view.state = i == 9 ? "RUNNING" : "WAITING";
    progress.stages.push_back(view);
  }
  const auto block = progress_block(progress, kStart, {80, 6}, false);
  EXPECT_THAT(block, ElementsAre(HasSubstr("PENDING"), "  · s0", "  · s1", "  ● s9", "  … 7 more"));
}

TEST(LiveArea, DrawsOverTheLastBlockAndKeepsLinesAbove) {
  LiveArea area;
  EXPECT_EQ(area.draw({"a", "b"}), "\r\x1b[2Ka\n\r\x1b[2Kb\n\x1b[J");
  EXPECT_EQ(area.draw({"c"}), "\x1b[2A\r\x1b[2Kc\n\x1b[J");
  EXPECT_EQ(area.print_above("note"), "\x1b[1A\r\x1b[2Knote\n\r\x1b[2Kc\n\x1b[J");
}

}  // namespace
}  // namespace fermata::cli

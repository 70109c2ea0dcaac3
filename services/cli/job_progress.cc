#include "services/cli/job_progress.h"

#include <algorithm>

#include "fermata/v1/jobs.pb.h"
#include "services/cli/cat.h"
#include "services/cli/proto_time.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

using News = ProgressNews::Kind;

int apply_stage(const v1::StageProgress& from, JobProgress* progress) {
  auto& stages = progress->stages;
  auto at = std::find_if(stages.begin(), stages.end(),
                         [&](const StageView& stage) { return stage.name == from.name(); });
  if (at == stages.end()) {
    at = stages.emplace(stages.end());
    at->name = printable(from.name());
  }
  // LOG and PROGRESS carry only the name.
  if (from.state() != v1::StageProgress::STATE_UNSPECIFIED) {
    at->state = v1::StageProgress::State_Name(from.state());
    at->total = from.total();
    at->done = from.done();
    at->failed = from.failed();
    at->retries = from.retries();
    at->start = time_of(from.has_start_time(), from.start_time());
    at->end = time_of(from.has_end_time(), from.end_time());
  }
  return static_cast<int>(at - stages.begin());
}

News news_of(v1::JobEvent::Kind kind) {
  switch (kind) {
    case v1::JobEvent::SNAPSHOT:
      return News::kSnapshot;
    case v1::JobEvent::STATE_CHANGED:
      return News::kState;
    case v1::JobEvent::STAGE:
      return News::kStage;
    case v1::JobEvent::RETRY:
      return News::kRetry;
    case v1::JobEvent::LOG:
      return News::kLog;
    case v1::JobEvent::PROGRESS:
      return News::kNote;
    case v1::JobEvent::FINISHED:
      return News::kFinished;
    default:
      return News::kUnknown;
  }
}

}  // namespace

absl::Duration JobProgress::elapsed(absl::Time now) const {
  if (create == absl::InfiniteFuture()) return absl::ZeroDuration();
  const absl::Time until = finished() ? end : now + clock_ahead;
  return std::max(absl::ZeroDuration(), until - create);
}

absl::Duration JobProgress::elapsed(const StageView& stage, absl::Time now) const {
  if (stage.start == absl::InfiniteFuture()) return absl::ZeroDuration();
  absl::Time until = stage.end;
  if (until == absl::InfiniteFuture()) until = finished() ? end : now + clock_ahead;
  return std::max(absl::ZeroDuration(), until - stage.start);
}

void apply_job(const v1::Job& job, JobProgress* progress) {
  progress->name = printable(job.name());
  progress->work = printable(job.stage().empty() ? job.pipeline() : job.stage());
  progress->state = v1::Job::State_Name(job.state());
  progress->reason = printable(job.reason());
  progress->sequence = job.sequence();
  progress->create = time_of(job.has_create_time(), job.create_time());
  progress->end = time_of(job.has_end_time(), job.end_time());
  for (const v1::StageProgress& stage : job.stages()) apply_stage(stage, progress);
}

ProgressNews apply(const v1::JobEvent& event, absl::Time now, JobProgress* progress) {
  ProgressNews news;
  news.kind = news_of(event.kind());
  news.time = event.has_time() ? time_of(true, event.time()) : now;
  news.message = printable(event.message());
  progress->clock_ahead = std::max(progress->clock_ahead, news.time - now);
  if (event.has_job()) apply_job(event.job(), progress);
  if (event.state() != v1::Job::STATE_UNSPECIFIED) {
    progress->state = v1::Job::State_Name(event.state());
  }
  progress->sequence = std::max(progress->sequence, event.sequence());
  if (event.has_stage()) news.stage = apply_stage(event.stage(), progress);
  if (news.stage < 0) return news;
  StageView& stage = progress->stages[static_cast<size_t>(news.stage)];
  if (news.kind == News::kRetry) {
    progress->last_retry = cat(stage.name, ": ", news.message);
  }
  if (news.kind == News::kNote) {
    stage.fraction = event.fraction();
    stage.note = news.message;
  }
  return news;
}

}  // namespace fermata::cli

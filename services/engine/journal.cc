#include "services/engine/journal.h"

#include <algorithm>
#include <utility>

#include "services/async/check.h"
#include "services/config/planted_bug.h"
#include "services/config/utf8.h"
#include "services/engine/state_machine.h"

namespace fermata {
namespace {

JobEvent finished_event(const JobView& record) {
  JobEvent event;
  event.sequence = record->sequence;
  event.time = record->end_time;
  event.kind = JobEventKind::kFinished;
  event.state = record->state;
  event.job = record;
  return event;
}

// It is not run again.
bool is_done(const StageProgress& stage) {
  return stage.state == StageState::kSkipped ||
         (stage.state == StageState::kSucceeded && stage.output != nullptr);
}

}  // namespace

void Journal::created(Job& job) {
  if (job.plan != nullptr) {
    const std::vector<PipelineStage>& stages = job.plan->pipeline->stages;
    job.stages.resize(stages.size());
    for (size_t i = 0; i < stages.size(); ++i) job.stages[i].name = stages[i].name;
  }
  check_transition(job.state, JobState::kPending);
  job.state = JobState::kPending;
  job.sequence = 1;
  ++stats_.jobs[static_cast<size_t>(job.state)];
}

void Journal::resumed(Job& job, const JobRecord& record, bool of_this_life) {
  created(job);
  job.sequence = of_this_life ? record.sequence : std::max(highest_told_, record.sequence);
  if (planted(PlantedBug::kReuseSequences)) job.sequence = record.sequence;
  job.start_time = record.start_time;
  if (planted(PlantedBug::kLoseStageOutput)) return;
  for (size_t i = 0; i < job.stages.size() && i < record.stages.size(); ++i) {
    const StageProgress& stored = record.stages[i];
    if (is_done(stored) && stored.name == job.stages[i].name) job.stages[i] = stored;
  }
}

JobView Journal::as_waiting(JobView stored) {
  if (stored->finished() || stored->state == JobState::kPending) return stored;
  auto waiting = std::make_shared<JobRecord>(*stored);
  if (waiting->state != JobState::kCancelling) {
    waiting->state = JobState::kPending;
    waiting->reason.clear();
  }
  for (StageProgress& stage : waiting->stages) {
    if (is_done(stage)) continue;
    StageProgress fresh;
    fresh.name = stage.name;
    stage = std::move(fresh);
  }
  return waiting;
}

void Journal::forgotten(Job& job) {
  FERMATA_CHECK(job.state == JobState::kPending, "a job that goes on was forgotten");
  --stats_.jobs[static_cast<size_t>(job.state)];
  // It comes back, and not below what was told of it here.
  highest_told_ = std::max(highest_told_, job.sequence);
  job.log = nullptr;
}

void Journal::refused(Job& job) {
  --stats_.jobs[static_cast<size_t>(job.state)];
  job.state = JobState::kUnspecified;
}

void Journal::set_state(Job& job, JobState state, std::string_view reason) {
  check_transition(job.state, state);
  FERMATA_CHECK(!is_finished(state), "a job becomes final by ended(), once it is stored");
  --stats_.jobs[static_cast<size_t>(job.state)];
  ++stats_.jobs[static_cast<size_t>(state)];
  job.state = state;
  job.reason = reason;
  if (state == JobState::kRunning && job.start_time == absl::InfinitePast()) {
    job.start_time = clock_.now();
  }
  JobEvent changed = event(job, JobEventKind::kStateChanged);
  if (planted(PlantedBug::kDropCancelEvent) && state == JobState::kCancelling) return;
  if (job.log != nullptr) job.log->add(std::move(changed));
}

void Journal::ended(Job& job, JobView record) {
  --stats_.jobs[static_cast<size_t>(job.state)];
  check_transition(job.state, record->state);
  FERMATA_CHECK(record->sequence > job.sequence, "something happened to a job after its end");
  job.state = record->state;
  job.sequence = record->sequence;
  job.view = std::move(record);
  if (job.log == nullptr) return;
  job.log->add(finished_event(job.view));
  job.log->close();
  job.log = nullptr;
}

void Journal::left(Job& job) {
  --stats_.jobs[static_cast<size_t>(job.state)];
  if (job.log == nullptr) return;
  job.log->close();
  job.log = nullptr;
}

std::shared_ptr<EventLog> Journal::closed_log(const JobView& record) {
  FERMATA_CHECK(record->finished(), "a job that goes on has a log of its own");
  auto log = std::make_shared<EventLog>(1, record->sequence - 1, nullptr, readers_);
  log->add(finished_event(record));
  log->close();
  return log;
}

void Journal::stage_began(Job& job, int index, int64_t total) {
  StageProgress& progress = stage(job, index);
  progress.state = StageState::kRunning;
  progress.start_time = clock_.now();
  progress.total = total;
  JobEvent began = stage_event(job, JobEventKind::kStage, index);
  if (job.log != nullptr) job.log->add(std::move(began));
}

void Journal::stage_ended(Job& job, int index, StageState state) {
  StageProgress& progress = stage(job, index);
  progress.state = state;
  progress.end_time = clock_.now();
  if (state == StageState::kSucceeded) progress.begun = false;
  JobEvent ended = stage_event(job, JobEventKind::kStage, index);
  if (job.log != nullptr) job.log->add(std::move(ended));
}

void Journal::stage_begun(Job& job, int index, bool begun) {
  stage(job, index).begun = begun;
  JobEvent changed = stage_event(job, JobEventKind::kStage, index);
  if (job.log != nullptr) job.log->add(std::move(changed));
}

bool Journal::too_soon(Job& job, int index) {
  const StageProgress& progress = stage(job, index);
  EventLog::Pace& told = job.log->pace(static_cast<size_t>(index));
  const absl::Time time = clock_.now();
  const int64_t step = std::max<int64_t>(progress.total / 100, 1);
  const bool far = progress.done - told.done >= step && progress.total > 1;
  if (!far && time - told.time < kPace) return true;
  told.done = progress.done;
  told.time = time;
  return false;
}

void Journal::stage_moved(Job& job, int index) {
  job.view = nullptr;
  if (job.log == nullptr || too_soon(job, index)) return;
  job.log->add(stage_event(job, JobEventKind::kStage, index));
}

void Journal::ran_by(Job& job, int index, std::string_view version) {
  std::string& versions = stage(job, index).versions;
  if (versions == version || version.empty()) return;
  if (versions.empty()) {
    versions = version;
    return;
  }
  // A version is one word, so it is either there as a whole or not at all.
  const size_t at = versions.find(version);
  if (at != std::string::npos) return;
  if (versions.size() + 2 + version.size() > StageProgress::kVersionsMax) return;
  versions.append(", ").append(version);
}

void Journal::retry(Job& job, int index, const absl::Status& error) {
  ++stage(job, index).retries;
  job.view = nullptr;
  if (job.log == nullptr || too_soon(job, index)) return;
  JobEvent retried = stage_event(job, JobEventKind::kRetry, index);
  retried.message = std::string(error.message());
  job.log->add(std::move(retried));
}

void Journal::progress(Job& job, int index, double fraction, std::string_view note) {
  if (job.log == nullptr || too_soon(job, index)) return;
  JobEvent moved = stage_event(job, JobEventKind::kProgress, index);
  moved.fraction = fraction >= 0 && fraction <= 1 ? fraction : 0;
  moved.message = utf8_preview(note, kMessageMax);
  job.log->add(std::move(moved));
}

void Journal::log(Job& job, int index, StageLogLevel level, std::string_view message) {
  if (job.log == nullptr || level == StageLogLevel::kDebug) return;
  JobEvent said = stage_event(job, JobEventKind::kLog, index);
  said.message = utf8_preview(message, kMessageMax);
  job.log->add(std::move(said));
}

JobEvent Journal::event(Job& job, JobEventKind kind) {
  ++job.sequence;
  job.view = nullptr;
  JobEvent event;
  if (job.log == nullptr) return event;  // nobody can read it
  event.sequence = job.sequence;
  event.time = clock_.now();
  event.kind = kind;
  event.state = job.state;
  return event;
}

JobEvent Journal::stage_event(Job& job, JobEventKind kind, int index) {
  JobEvent made = event(job, kind);
  if (job.log == nullptr) return made;
  made.stage = stage(job, index);
  made.stage.output = nullptr;
  return made;
}

JobView Journal::view(Job& job) {
  if (job.queued) return draft(job);  // there may be a million of them
  if (job.view == nullptr) job.view = draft(job);
  return job.view;
}

std::shared_ptr<JobRecord> Journal::draft(const Job& job) const {
  auto record = std::make_shared<JobRecord>();
  record->spec = job.spec;
  record->state = job.state;
  record->reason = job.reason;
  record->sequence = job.sequence;
  record->start_time = job.start_time;
  record->stages = job.stages;
  return record;
}

std::shared_ptr<EventLog> Journal::event_log(Job& job) {
  if (job.log == nullptr) {
    // The log is closed before the job goes.
    job.log = std::make_shared<EventLog>(
        limits_.events, job.sequence, [this, &job] { return view(job); }, readers_);
  }
  return job.log;
}

}  // namespace fermata

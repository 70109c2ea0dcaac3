// JobEvent: one thing that happened to a job. What a watcher reads.
//
// Sequences count from 1 within a job and only go up; events that only say "a bit further" are
// merged (event_log.h), so a gap in the numbers is normal and never means that news was lost: in
// that case a SNAPSHOT comes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "services/store/job_record.h"

namespace fermata {

enum class JobEventKind : uint8_t {
  kUnspecified = 0,
  kSnapshot = 1,      // `job` is everything up to `sequence`
  kStateChanged = 2,  // `state`
  kStage = 3,         // `stage` began, moved or ended
  kRetry = 4,         // a call of `stage` failed and is tried again; `message` is its error
  kLog = 5,           // `stage.name` says `message`
  kProgress = 6,      // `stage.name` is `fraction` through a call; `message`
  kFinished = 7,      // the last one; `job`
};

struct JobEvent {
  int64_t sequence = 0;
  absl::Time time;
  JobEventKind kind = JobEventKind::kUnspecified;
  JobState state = JobState::kUnspecified;  // after this event
  StageProgress stage;                      // without its output
  double fraction = 0;
  std::string message;
  JobView job;
};

}  // namespace fermata

// Job: one unfinished job, as the engine holds it. What clients and the store see of it are
// JobRecords, made by Journal when somebody asks.
//
// fields                         valid while          changed by
// spec, plan                     always               nobody; a stored job that cannot go on
//                                                     has no plan, only its end
// state … stages, sequence       always               Journal only
// admission, refusal             until `stored`       Engine's submit
// input                          PENDING, RUNNING     submit; dropped when the job has to wait
// scope                          its stages run       Engine::run_job
// lane hook                      it is in a queue     PendingQueue
// parked                         PENDING              Backlog
//
// Owned by the engine's table and by coroutines that wait for it. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/async/async.h"
#include "services/config/json.h"
#include "services/engine/event_log.h"
#include "services/engine/plan.h"
#include "services/store/job_record.h"

namespace fermata {

enum class CancelCause : uint8_t { kRequested, kClientGone, kShutdown };

enum class JobAdmission : uint8_t { kStoring, kAccepted, kRefused };

struct Job : std::enable_shared_from_this<Job> {
  std::shared_ptr<const JobSpec> spec;
  PlanRef plan;

  JobState state = JobState::kUnspecified;
  std::string reason;
  int64_t sequence = 0;
  absl::Time start_time = absl::InfinitePast();
  std::vector<StageProgress> stages;
  JobView view;                   // as it is, or null when something changed since
  std::shared_ptr<EventLog> log;  // null until somebody watches

  JobAdmission admission = JobAdmission::kStoring;
  absl::Status refusal;
  Event stored;  // admission is decided

  size_t bytes = 0;  // taken from Admission
  std::optional<JsonDocument> input;

  CancelScope* scope = nullptr;
  std::optional<CancelCause> cancel_cause;
  bool left = false;    // the engine stops, and the store has it: the next life goes on with it
  bool ending = false;  // how it ends is decided, and being stored
  Event end_tried;      // storing that was refused, or it is over
  absl::Status end_refused;
  Event over;  // the engine has let go of it: `state` is final, or it was left

  int holds = 0;          // clients that run it and would have it cancelled when they all are gone
  bool detached = false;  // somebody wants it to go on in any case

  // PendingQueue's.
  Job* previous = nullptr;
  Job* next = nullptr;
  bool queued = false;
  // Backlog's: pending, and its turn comes from the store.
  bool parked = false;
};
using JobRef = std::shared_ptr<Job>;

}  // namespace fermata

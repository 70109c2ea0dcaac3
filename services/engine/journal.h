// Journal: the only one that changes what is known of a job. Keeps the state machine, the sequence
// of events, the numbers of jobs by state, and makes the records that others see.
//
// An event that nobody can read costs a counter. Small moves of a stage are told at most every
// kPace, or every hundredth of the stage, whichever comes first. Loop thread only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/engine/engine_limits.h"
#include "services/engine/engine_stats.h"
#include "services/engine/job.h"
#include "services/stages/stages.h"
#include "services/store/clock.h"

namespace fermata {

class Journal {
 public:
  static constexpr absl::Duration kPace = absl::Milliseconds(100);
  static constexpr size_t kMessageMax = 4096;

  Journal(const Clock& clock, const EngineLimits& limits, EngineStats& stats)
      : clock_(clock), limits_(limits), stats_(stats) {}

  // Before any other call: JobStore::sequence_floor(), from which the events of jobs count that
  // this life takes over. So they are above all that readers in an earlier one have seen.
  void begin_life(int64_t sequence_floor) { highest_told_ = sequence_floor; }

  // A fresh job: its first state, PENDING, is event 1.
  void created(Job& job);
  // A job as the store last saw it: PENDING again, what its stages gave is kept. `of_this_life`: it
  // was accepted by this engine, which has told nobody anything of it since.
  void resumed(Job& job, const JobRecord& record, bool of_this_life);
  // What others see of such a job while it is not in memory.
  static JobView as_waiting(JobView stored);
  // The job is only in the store again, PENDING as it is there.
  void forgotten(Job& job);
  // To a state that is not final; for those see ended().
  void set_state(Job& job, JobState state, std::string_view reason = "");
  // `record` is final, and stored.
  void ended(Job& job, JobView record);
  // The engine stops before the job has ended.
  void left(Job& job);
  // The job never came to be: refused while it was being stored.
  void refused(Job& job);

  StageProgress& stage(Job& job, int index) { return job.stages[static_cast<size_t>(index)]; }
  void stage_began(Job& job, int index, int64_t total);
  void stage_ended(Job& job, int index, StageState state);
  // Whether its code may have been entered by now without an end that is known: what a stage with
  // `if_lost: fail` is not run again for. An event of its own, so that the record that says so is
  // newer than any that does not.
  void stage_begun(Job& job, int index, bool begun);
  // One call of it ended, or found out how many there are.
  void stage_moved(Job& job, int index);
  // An attempt begins in this version of the plugin.
  void ran_by(Job& job, int index, std::string_view version);
  void retry(Job& job, int index, const absl::Status& error);
  void progress(Job& job, int index, double fraction, std::string_view note);
  void log(Job& job, int index, StageLogLevel level, std::string_view message);

  // The job as it is now.
  JobView view(Job& job);
  // A copy to make the next or final record from; does not change the job.
  std::shared_ptr<JobRecord> draft(const Job& job) const;
  // For readers; made on first use.
  std::shared_ptr<EventLog> event_log(Job& job);
  // Of a job that had ended before: FINISHED and nothing else.
  std::shared_ptr<EventLog> closed_log(const JobView& record);
  int64_t readers() const { return *readers_; }

 private:
  JobEvent event(Job& job, JobEventKind kind);
  JobEvent stage_event(Job& job, JobEventKind kind, int index);
  bool too_soon(Job& job, int index);

  const Clock& clock_;
  const EngineLimits& limits_;
  EngineStats& stats_;
  int64_t highest_told_ =
      0;  // of jobs of an earlier life: all that was told of them is not above it
  std::shared_ptr<int64_t> readers_ = std::make_shared<int64_t>(0);
};

}  // namespace fermata

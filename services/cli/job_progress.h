#pragma once

// What is known of a job while it runs: the model behind the live block and the plain lines.
//
// Folded from the server's events by apply(), in order; drawing reads it and never asks the server.
// Times are the server's; `clock_ahead` is how far its clock is ahead of ours, so that elapsed
// times stay right when the clocks differ. One thread.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fermata::v1 {
class Job;
class JobEvent;
}  // namespace fermata::v1

namespace fermata::cli {

struct StageView {
  std::string name;
  std::string state = "WAITING";  // a name of StageProgress.State
  int64_t total = 0;
  int64_t done = 0;
  int64_t failed = 0;
  int64_t retries = 0;
  absl::Time start = absl::InfiniteFuture();  // until known
  absl::Time end = absl::InfiniteFuture();
  double fraction = -1;  // what the stage itself reported, or -1
  std::string note;
};

struct JobProgress {
  std::string name;  // "jobs/..."
  std::string work;  // the pipeline or the stage
  std::string state = "PENDING";
  std::string reason;
  int64_t sequence = 0;
  absl::Time create = absl::InfiniteFuture();
  absl::Time end = absl::InfiniteFuture();
  std::vector<StageView> stages;
  std::string last_retry;  // "fetch: connection refused"
  absl::Duration clock_ahead = -absl::InfiniteDuration();

  bool finished() const { return end != absl::InfiniteFuture(); }
  absl::Duration elapsed(absl::Time now) const;
  absl::Duration elapsed(const StageView& stage, absl::Time now) const;
};

// What an event brought, beyond the numbers.
struct ProgressNews {
  enum class Kind { kSnapshot, kState, kStage, kRetry, kLog, kNote, kFinished, kUnknown };
  Kind kind = Kind::kUnknown;
  absl::Time time;      // the server's
  int stage = -1;       // index into stages
  std::string message;  // printable
};

// Folds one event that arrived at `now` into `progress`.
ProgressNews apply(const v1::JobEvent& event, absl::Time now, JobProgress* progress);
void apply_job(const v1::Job& job, JobProgress* progress);

}  // namespace fermata::cli

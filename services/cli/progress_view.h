#pragma once

// Shows a job's progress on stderr: a live block on a terminal, plain lines elsewhere, nothing with
// --quiet. One thread.

#include "services/cli/job_progress.h"
#include "services/cli/output.h"
#include "services/cli/progress_block.h"
#include "services/cli/progress_lines.h"

namespace fermata::cli {

class ProgressView {
 public:
  enum class Mode { kNone, kLines, kLive };
  ProgressView(Output& output, Mode mode) : output_(output), mode_(mode) {}

  void event(const v1::JobEvent& event);
  // Call some times a second: elapsed times go on without events.
  void tick();
  // A line from us and not from the job.
  void note(std::string_view line);

  const JobProgress& progress() const { return progress_; }

 private:
  void draw(absl::Time now);

  Output& output_;
  Mode mode_;
  JobProgress progress_;
  ProgressLines lines_;
  LiveArea area_;
  absl::Time drawn_ = absl::InfinitePast();
};

}  // namespace fermata::cli

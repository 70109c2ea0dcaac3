#pragma once

// A job's progress as lines: what is printed when nobody watches a terminal (a pipe, a log file).
//
// One line per thing that happened; the counts of a busy stage at most once a second of the
// server's time, so that ten thousand calls do not print ten thousand lines. One thread.

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/cli/job_progress.h"

namespace fermata::cli {

class ProgressLines {
 public:
  // The lines, without line breaks, that `news` is worth.
  std::vector<std::string> lines_for(const ProgressNews& news, const JobProgress& progress);

 private:
  struct Printed {
    absl::Time at = absl::InfinitePast();
    absl::Time retry_at = absl::InfinitePast();
    std::string state;
  };
  void add_stage(size_t index, absl::Time time, const JobProgress& progress,
                 std::vector<std::string>* lines);

  std::string job_state_;
  std::vector<Printed> stages_;
};

// "fetch: 24/240, 1 failed, 2 retried": what both ways of printing say of a stage's numbers.
std::string counts_text(const StageView& stage);

}  // namespace fermata::cli

#pragma once

// A job's progress as a block of lines that is drawn over and over on a terminal.
//
//   scrape  jobs/0192f3c4-...  RUNNING  3.2s
//     ✓ fetch  ━━━━━━━━━━━━━━━━━━━━  240/240  12 failed  5 retried  3.1s
//     ● links  ━━━━━━━━━━──────────   20/40                         0.2s
//     · merge
//
// progress_block() is pure; LiveArea knows how to put it on the screen in place of the last one.

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/cli/job_progress.h"
#include "services/cli/terminal.h"

namespace fermata::cli {

// At most size.rows - 1 lines, none wider than size.columns. Stages that do not fit are counted in
// a last line; running ones are kept first.
std::vector<std::string> progress_block(const JobProgress& progress, absl::Time now,
                                        TerminalSize size, bool color);

class LiveArea {
 public:
  // Bytes that put `lines` where the last block was.
  std::string draw(const std::vector<std::string>& lines);
  // Bytes that print `line` above the block, where it stays.
  std::string print_above(std::string_view line);

 private:
  std::vector<std::string> shown_;
};

}  // namespace fermata::cli

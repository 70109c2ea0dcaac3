#pragma once

// Follows a job to its end over the Watch stream: shows progress, resumes after a lost connection,
// and does what Ctrl-C means for the command that asked.

#include <functional>
#include <optional>
#include <string>

#include "services/cli/session.h"

namespace fermata::cli {

struct FollowOptions {
  // Ctrl-C cancels the job and goes on following (`run`), or just leaves (`watch`).
  bool interrupt_cancels = false;
  int64_t after_sequence = 0;
  // Where progress is shown: stderr for `run`, whose result goes to stdout; stdout for `watch`.
  Output* progress = nullptr;
  // Called with each event, for --json; progress is not shown then. False: nobody reads any more.
  std::function<bool(const v1::JobEvent&)> sink;
};

struct Followed {
  ExitCode exit = ExitCode::kInternal;  // the job's outcome, or why it is not known
  std::optional<v1::Job> job;           // the finished job
};

Followed follow_job(Session& session, const std::string& job, const FollowOptions& options);

// "jobs/... FAILED: stage fetch after 5 attempts: UNAVAILABLE: connection refused", for a job that
// ended otherwise than well.
std::string outcome_text(const v1::Job& job);

}  // namespace fermata::cli

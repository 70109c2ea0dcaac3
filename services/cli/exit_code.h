#pragma once

// What the exit code of `fermata` says. Scripts depend on these: never renumber.

#include <string_view>

namespace fermata::cli {

enum class ExitCode : int {
  kOk = 0,            // done; for a job: it succeeded
  kJobFailed = 1,     // the job ended FAILED
  kUsage = 2,         // the command line, or a file it names, is wrong; nothing was sent
  kJobCancelled = 3,  // the job ended CANCELLED
  kJobExpired = 4,    // the job ended EXPIRED
  kRefused = 5,       // the server refused the request: bad input, no such job, at a limit
  kUnreachable = 6,   // no server there, or it was lost before the answer came
  kInternal = 7,      // a defect of fermata, here or in the server
  kOutputLost = 8,    // done, but stdout did not take the result: a full disk
  kInterrupted = 130  // Ctrl-C ended the command and not the job
};

// `state` as Job.State names it: "SUCCEEDED". A state that is no end counts as a defect.
ExitCode exit_code_of_state(std::string_view state);

}  // namespace fermata::cli

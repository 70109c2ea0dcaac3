// One command: started, fed, listened to, and never left behind.
//
// Loop thread, except where it says otherwise.
#ifndef FERMATA_PLUGINS_EXEC_RUN_H_
#define FERMATA_PLUGINS_EXEC_RUN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/exec/options.h"
#include "services/async/async.h"
#include "services/async/process/subprocess.h"

namespace fermata::exec {

// One of the two output streams.
struct Output {
  std::string bytes;        // at most the limit
  std::uint64_t total = 0;  // that the command wrote
  bool truncated() const { return total > bytes.size(); }
};

struct Result {
  ExitStatus ended = ExitStatus::exited(0);
  Output output;
  Output errors;
  std::int64_t elapsed_ms = 0;
};

// Wakes when the command has ended and its output has been read; what is left of its process group
// is killed then. Unavailable: not done after request.timeout. On cancel and at the timeout:
// SIGTERM to the group, SIGKILL after config.grace, and it wakes when the command is gone. On
// shutdown: as cancelled. Both references outlive it.
Co<absl::StatusOr<Result>> run(const Config& config, const Request& request);

// What the end means: OK for exit code 0 or when anything is expected; FailedPrecondition for
// another code, Aborted (worth another attempt) for one of retry_codes and for a signal.
absl::Status verdict(const Request& request, const Result& result);

// {"exit_code","signal","stdout","stderr","stdout_bytes","stdout_truncated",…,"elapsed_ms"}
std::string render(const Result& result, bool base64);

}  // namespace fermata::exec

#endif  // FERMATA_PLUGINS_EXEC_RUN_H_

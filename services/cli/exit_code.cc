#include "services/cli/exit_code.h"

namespace fermata::cli {

ExitCode exit_code_of_state(std::string_view state) {
  if (state == "SUCCEEDED") return ExitCode::kOk;
  if (state == "FAILED") return ExitCode::kJobFailed;
  if (state == "CANCELLED") return ExitCode::kJobCancelled;
  if (state == "EXPIRED") return ExitCode::kJobExpired;
  return ExitCode::kInternal;
}

}  // namespace fermata::cli

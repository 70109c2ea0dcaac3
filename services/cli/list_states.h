#pragma once

// The states a job can be in, by name, for options and their error texts. The names are the
// proto's; a test compares the two.

#include <string>
#include <vector>

namespace fermata::cli {

inline const std::vector<std::string>& job_states() {
  static const std::vector<std::string> kStates = {
      "SCHEDULED",  "PENDING",   "RUNNING", "BACKING_OFF", "SUSPENDED",
      "CANCELLING", "SUCCEEDED", "FAILED",  "CANCELLED",   "EXPIRED"};
  return kStates;
}

}  // namespace fermata::cli

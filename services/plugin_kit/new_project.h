// `fermata plugin new`: a project that builds with one command, needs nothing of this repository,
// and passes `fermata plugin check` as it is. It is the example of its language under another name.
#ifndef SERVICES_PLUGIN_KIT_NEW_PROJECT_H_
#define SERVICES_PLUGIN_KIT_NEW_PROJECT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fermata::kit {

struct ProjectOptions {
  std::string language;  // "c", "cpp" or "rust"
  std::string name;      // [a-z][a-z0-9_]*; the plugin becomes org.example.<name>
  std::string folder;    // made; empty: the name
};

// The files that were written. INVALID_ARGUMENT for a bad name or language, ALREADY_EXISTS when the
// folder is there and not empty.
absl::StatusOr<std::vector<std::string>> make_project(const ProjectOptions& options);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_NEW_PROJECT_H_

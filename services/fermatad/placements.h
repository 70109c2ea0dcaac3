// Placements: which plugins run in a process of their own, from the configuration and from what the
// server remembers of its own crashes.
#pragma once

#include "absl/status/statusor.h"
#include "services/config/config.h"
#include "services/stages/plugin_placement.h"

namespace fermata {

// fermata-plugin-host: as configured, or beside this program; empty when it is not there.
std::string plugin_host_program(const Config& config);

// Reads and notes crashes (plugins.state), and says what it finds in the log. Once per process, on
// the loop's thread, before plugins are loaded. `only_check` reads and notes nothing: a server may
// be running.
absl::StatusOr<Placements> make_placements(const Config& config, bool only_check);

}  // namespace fermata

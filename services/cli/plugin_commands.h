#pragma once

// `fermata plugin VERB`: plugins of a server on this machine, through its admin socket. A command
// line of its own (its verbs are not jobs), so it is parsed and run here; main() hands it over.

#include "services/cli/exit_code.h"

namespace fermata::cli {

// argv[0] is "plugin".
ExitCode plugin_command(int argc, const char* const* argv);

}  // namespace fermata::cli

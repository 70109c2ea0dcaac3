#pragma once

// `fermata store verify|stats|backup|restore|compact`: works on a directory, without a server.

#include "services/cli/exit_code.h"
#include "services/cli/options.h"

namespace fermata::cli {

// kUsage: the directory is not what it should be, and why is said; kJobFailed: damage was found.
ExitCode store_command(const Options& options);

}  // namespace fermata::cli

#pragma once

// `fermata token new`: needs no server. The token goes to stdout and nothing else does, so that
// TOKEN=$(fermata token new --principal NAME) works; its entry for the tokens file goes to stderr.

#include "services/cli/options.h"

namespace fermata::cli {

ExitCode token_command(const Options& options);

}  // namespace fermata::cli

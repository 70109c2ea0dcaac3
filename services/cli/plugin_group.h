#pragma once

// `fermata plugin ...`: what plugin authors do with plugin files, and operators with the plugins of
// a server on this machine. One table of commands; each parses its own words, and the server's are
// plugin_commands.h's.
//
// One thread; called from main().

#include <optional>
#include <string>
#include <vector>

#include "services/cli/exit_code.h"

namespace fermata::cli {

struct PluginCommand {
  const char* name;
  const char* about;
  // argv[0] is the command's name.
  ExitCode (*run)(int argc, char** argv);  // null: plugin_commands.h parses the whole line
};

// argv[0] is "plugin". The child of `plugin check` comes in here too.
ExitCode plugin_group(int argc, char** argv);

// The commands, in the files of their names.
ExitCode plugin_check(int argc, char** argv);
ExitCode plugin_inspect(int argc, char** argv);
ExitCode plugin_run(int argc, char** argv);
ExitCode plugin_bench(int argc, char** argv);
ExitCode plugin_new(int argc, char** argv);

}  // namespace fermata::cli

#pragma once

// The client of fermatad's admin socket (services/fermatad/plugin_admin.h): one line there, an
// answer back.

#include <string>

#include "services/cli/exit_code.h"

namespace fermata::cli {

struct PluginAdminOptions {
  std::string verb;      // list, reload, rollback, allow
  std::string argument;  // a file, or a plugin
  std::string socket;    // empty: as the configuration says
  std::string config;
  std::string lock;   // allow: empty means as the configuration says
  bool json = false;  // list: one JSON document a line
};

ExitCode plugin_admin(const PluginAdminOptions& options);

}  // namespace fermata::cli

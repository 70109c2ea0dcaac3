#include "services/cli/plugin_commands.h"

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "services/cli/cat.h"
#include "services/cli/output.h"
#include "services/cli/plugin_admin.h"
#include "services/cli/terminal.h"

namespace fermata::cli {
namespace {

constexpr char kFooter[] = R"(
They speak to the server's admin socket, plugins.admin in its configuration, as its user or as root.
Exit codes: 0 done; 2 wrong usage; 5 the server refused; 6 no server.)";

}  // namespace

ExitCode plugin_command(int argc, const char* const* argv) {
  PluginAdminOptions options;
  CLI::App app("fermata plugin: the plugins of a server on this machine", "fermata plugin");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--admin", options.socket, "the server's admin socket")
      ->type_name("PATH")
      ->envname("FERMATA_PLUGIN_ADMIN");
  app.add_option("--config", options.config, "the server's fermata.yaml, which names the socket")
      ->type_name("FILE")
      ->envname("FERMATA_CONFIG");
  app.add_subcommand("list", "every version of every plugin, and what it is doing")
      ->add_flag("--json", options.json, "one JSON document a line");
  app.add_subcommand("reload", "take up a file of the plugin folder again, or all of them")
      ->add_option("file", options.argument, "its name in the folder")
      ->type_name("FILE");
  app.add_subcommand("rollback", "go back to the version before; the other is denied")
      ->add_option("plugin", options.argument, "its short name, or its id")
      ->type_name("ID")
      ->required();
  CLI::App* allow =
      app.add_subcommand("allow", "let a file be loaded: off the denied list, into plugins.lock");
  allow->add_option("file", options.argument, "the plugin file")->type_name("FILE")->required();
  allow->add_option("--lock", options.lock, "the plugins.lock to add it to")->type_name("FILE");
  Output err(Terminal{.fd = 2});
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {
    return print(app.help());
  } catch (const CLI::ParseError& error) {
    err.write_line(cat("fermata plugin: ", error.what(), "\nSee fermata plugin --help"));
    return ExitCode::kUsage;
  }
  options.verb = app.get_subcommands().front()->get_name();
  return plugin_admin(options);
}

}  // namespace fermata::cli

#include "services/cli/plugin_group.h"

#include <string_view>

#include "services/cli/cat.h"
#include "services/cli/output.h"
#include "services/cli/plugin_commands.h"
#include "services/config/nearest_name.h"
#include "services/plugin_kit/check_process.h"

namespace fermata::cli {
namespace {

constexpr PluginCommand kCommands[] = {
    {"new", "a project for a new plugin, in C, C++ or Rust", plugin_new},
    {"check", "run the conformance checks on a plugin file", plugin_check},
    {"inspect", "what a plugin file says about itself; runs none of its code", plugin_inspect},
    {"run", "one call of one stage: input in, output out, no server", plugin_run},
    {"bench", "how long a call of one stage takes", plugin_bench},
    {"list", "of a server here: every version of every plugin, and what it is doing", nullptr},
    {"reload", "of a server here: take up a file of the plugin folder again", nullptr},
    {"rollback", "of a server here: go back to the version before", nullptr},
    {"allow", "let a file be loaded: off the denied list, into plugins.lock", nullptr},
};

std::string help() {
  std::string text = "fermata plugin COMMAND ...\n\n";
  for (const PluginCommand& command : kCommands) {
    const std::string name = command.name;
    append(&text, "  ", name, std::string(10 - name.size(), ' '), command.about, "\n");
  }
  return text + "\nfermata plugin COMMAND --help says more. plugins/README.md is the guide.\n";
}

}  // namespace

ExitCode plugin_group(int argc, char** argv) {
  if (kit::is_check_child(argc, argv, 1)) {
    return static_cast<ExitCode>(kit::check_child_main(argc, argv, 1));
  }
  const std::string_view word = argc > 1 ? argv[1] : "--help";
  if (word == "--help" || word == "-h" || word == "help") {
    return print(help(), argc > 1 ? ExitCode::kOk : ExitCode::kUsage);
  }
  // "--admin PATH list": an option of theirs.
  if (word.starts_with("-")) return plugin_command(argc, argv);
  std::vector<std::string> names;
  for (const PluginCommand& command : kCommands) {
    if (word == command.name) {
      return command.run == nullptr ? plugin_command(argc, argv) : command.run(argc - 1, argv + 1);
    }
    names.emplace_back(command.name);
  }
  Output(Terminal{.fd = 2})
      .write(cat("fermata: no command 'plugin ", word, "'", did_you_mean(std::string(word), names),
                 "\nSee fermata plugin --help\n"));
  return ExitCode::kUsage;
}

}  // namespace fermata::cli

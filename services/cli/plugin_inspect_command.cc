// fermata plugin inspect FILE.so
#include <string>

#include "services/cli/plugin_group.h"
#include "services/cli/plugin_words.h"
#include "services/plugin_kit/inspect.h"

namespace fermata::cli {

ExitCode plugin_inspect(int argc, char** argv) {
  std::string file;
  bool json = false;
  CLI::App app("what a plugin file says about itself; runs none of its code",
               "fermata plugin inspect");
  app.add_option("file", file, "the plugin")->required()->type_name("FILE.so");
  app.add_flag("--json", json, "one JSON document");
  if (const auto ended = parse_words(app, argc, argv)) return *ended;
  const absl::StatusOr<std::string> text =
      kit::inspect_file(file, json ? kit::Format::kJson : kit::Format::kText);
  if (!text.ok()) return complain(text.status(), ExitCode::kUsage);
  return print(*text);
}

}  // namespace fermata::cli

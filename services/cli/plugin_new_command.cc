// fermata plugin new --lang c|cpp|rust NAME [DIR]
#include <string>
#include <vector>

#include "services/cli/plugin_group.h"
#include "services/cli/plugin_words.h"
#include "services/plugin_kit/new_project.h"

namespace fermata::cli {

ExitCode plugin_new(int argc, char** argv) {
  kit::ProjectOptions options;
  CLI::App app("a project that builds with `make` and passes `make check`", "fermata plugin new");
  app.add_option("--lang", options.language, "c, cpp or rust")->required()->type_name("LANG");
  app.add_option("name", options.name, "a-z 0-9 _; the plugin becomes org.example.NAME")
      ->required()
      ->type_name("NAME");
  app.add_option("folder", options.folder, "where; a new folder of that name")->type_name("DIR");
  if (const auto ended = parse_words(app, argc, argv)) return *ended;
  const absl::StatusOr<std::vector<std::string>> written = kit::make_project(options);
  if (!written.ok()) return complain(written.status(), ExitCode::kUsage);
  const std::string folder = options.folder.empty() ? options.name : options.folder;
  return print(cat(folder, ": ", written->size(), " files\n  make -C ", folder, "        builds ",
                   options.name, ".so\n  make -C ", folder, " check  is it fit to be loaded?\n"));
}

}  // namespace fermata::cli

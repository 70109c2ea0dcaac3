// From a file of the plugin folder to code in this process: taken (copied and checked, nothing of
// it runs), then mapped (constructors, descriptor, init()).
//
// All of it blocks (files, the dynamic loader), so it runs on a worker thread and touches nothing
// of a loop.
#ifndef SERVICES_STAGES_PLUGIN_FOLDER_H_
#define SERVICES_STAGES_PLUGIN_FOLDER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/static_checks.h"

namespace fermata {

// A file that a plugin may be in: *.so, no dotfile.
bool is_plugin_file(std::string_view name);

// Checks the folder and makes the private directory ready. The names of the plugin files, sorted.
absl::StatusOr<std::vector<std::string>> open_plugin_folder(std::string folder,
                                                            std::string private_dir);

struct TakeOptions {
  std::string folder;
  std::string private_dir;
  std::string lock;  // plugins.lock; empty: every file of the folder is trusted
  HostFacts facts;
};

struct TakenPlugin {
  std::string file;
  uint32_t owner = 0;  // uid of the file
  std::string sha256;  // as far as it could be read
  std::string path;    // of our copy
  PluginNote note;
  absl::Status status;  // "PLG-nnn ..."
};
TakenPlugin take_plugin(std::string file, TakeOptions options);

// The same with bytes that were taken before: our copy of them, wherever their file is now. They
// are judged anew; PLG-100 when the copy does not hold them.
TakenPlugin retake_plugin(std::string file, std::string sha256, TakeOptions options);

// Loads and initialises it. `known` are the images that are mapped already: PLG-146 when the
// dynamic loader answers with one of them. With `fresh_path` set, from a new copy under that name:
// code that was stopped once cannot be started again.
absl::StatusOr<std::unique_ptr<LoadedPlugin>> map_plugin(TakenPlugin taken, std::string fresh_path,
                                                         std::vector<const void*> known);

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_FOLDER_H_

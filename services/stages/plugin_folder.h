// Scanning a plugin folder: every .so in it is copied, checked, loaded and initialised, or refused
// with a reason.
//
// The whole of it blocks (files, the dynamic loader, constructors), so it runs on a worker thread;
// it touches nothing of a loop. One bad file never keeps the others from being loaded.
#ifndef SERVICES_STAGES_PLUGIN_FOLDER_H_
#define SERVICES_STAGES_PLUGIN_FOLDER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/static_checks.h"

namespace fermata {

struct FoundPlugin {
  std::string file;
  std::string sha256;
  PluginNote note;  // as far as it could be read
  absl::Status status;
  std::unique_ptr<LoadedPlugin> plugin;  // when ok
};

struct ScannedFolder {
  absl::Status status;             // of the folder itself
  std::vector<FoundPlugin> found;  // in order of file names
};

// `folder` empty: nothing to load.
ScannedFolder scan_plugin_folder(std::string folder, std::string private_dir, HostFacts facts);

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_FOLDER_H_

#include "services/stages/plugin_folder.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/host_table.h"
#include "services/stages/plugins_lock.h"
#include "services/stages/private_copy.h"

namespace fermata {

bool is_plugin_file(std::string_view name) {
  return !name.empty() && name.front() != '.' && absl::EndsWith(absl_view(name), ".so");
}

absl::StatusOr<std::vector<std::string>> open_plugin_folder(std::string folder,
                                                            std::string private_dir) {
  if (absl::Status s = check_plugin_folder(folder); !s.ok()) return s;
  if (absl::Status s = prepare_private_dir(private_dir); !s.ok()) return s;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
  if (directory == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read the plugin folder ", folder, ": ", std::strerror(errno)));
  }
  std::vector<std::string> files;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (is_plugin_file(entry->d_name)) files.emplace_back(entry->d_name);
  }
  std::sort(files.begin(), files.end());
  return files;
}

namespace {

TakenPlugin judge_copy(std::string file, const absl::StatusOr<PrivateCopy>& copy,
                       const TakeOptions& options) {
  TakenPlugin taken;
  taken.file = std::move(file);
  taken.status = copy.status();
  if (!copy.ok()) return taken;
  taken.sha256 = copy->sha256;
  taken.path = copy->path;
  taken.owner = copy->owner;
  const LibraryFinder finder;
  absl::StatusOr<PluginNote> note =
      check_plugin_bytes(taken.file, copy->bytes, options.folder, finder, options.facts);
  taken.status = note.status();
  if (!note.ok()) return taken;
  taken.note = *std::move(note);
  if (options.lock.empty()) return taken;
  absl::StatusOr<PluginsLock> lock = PluginsLock::load(options.lock);
  taken.status =
      lock.ok() ? lock->check(taken.file, taken.sha256, taken.note)
                : refusal(131, taken.file,
                          absl::StrCat("plugins.lock cannot be used: ", lock.status().message()));
  return taken;
}

}  // namespace

TakenPlugin take_plugin(std::string file, TakeOptions options) {
  const absl::StatusOr<PrivateCopy> copy = copy_plugin(options.folder, file, options.private_dir);
  return judge_copy(std::move(file), copy, options);
}

TakenPlugin retake_plugin(std::string file, std::string sha256, TakeOptions options) {
  const absl::StatusOr<PrivateCopy> copy = earlier_copy(file, sha256, options.private_dir);
  return judge_copy(std::move(file), copy, options);
}

absl::StatusOr<std::unique_ptr<LoadedPlugin>> map_plugin(TakenPlugin taken, std::string fresh_path,
                                                         std::vector<const void*> known) {
  if (!fresh_path.empty()) {
    if (absl::Status s = copy_again(taken.path, fresh_path); !s.ok()) {
      return refusal(100, taken.file, absl::StrCat("cannot be copied: ", s.message()));
    }
    taken.path = std::move(fresh_path);
  }
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> plugin =
      LoadedPlugin::load(taken.file, taken.path, taken.note, host_table());
  if (!plugin.ok()) return plugin;
  if (std::find(known.begin(), known.end(), (*plugin)->image()) != known.end()) {
    return refusal(146, taken.file,
                   "the dynamic loader answered with code that is loaded already - restart the "
                   "server");
  }
  if (absl::Status s = (*plugin)->init(); !s.ok()) return s;
  return plugin;
}

}  // namespace fermata

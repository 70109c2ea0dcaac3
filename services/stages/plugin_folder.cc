#include "services/stages/plugin_folder.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/stages/host_table.h"
#include "services/stages/private_copy.h"

namespace fermata {
namespace {

absl::StatusOr<std::vector<std::string>> plugin_files(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
  if (directory == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read the plugin folder ", folder, ": ", std::strerror(errno)));
  }
  std::vector<std::string> files;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name.front() != '.' && absl::EndsWith(name, ".so")) files.push_back(name);
  }
  std::sort(files.begin(), files.end());
  return files;
}

using Seen = std::map<std::string, const FoundPlugin*>;

absl::Status check_duplicate(const FoundPlugin& found, const Seen& seen) {
  const auto other = seen.find(found.note.id);
  if (other == seen.end()) return absl::OkStatus();
  const FoundPlugin& first = *other->second;
  return refusal(
      132, found.file,
      absl::StrCat(found.note.id, " ", found.note.version, " is already loaded from ", first.file,
                   " (", first.note.version, ", ", first.sha256.substr(0, 8), ", this one is ",
                   found.sha256.substr(0, 8), ") - keep one of the two files"));
}

absl::Status load_one(const std::string& folder, const std::string& private_dir,
                      const LibraryFinder& finder, const HostFacts& facts, const Seen& seen,
                      FoundPlugin& found) {
  absl::StatusOr<PrivateCopy> copy = copy_plugin(folder, found.file, private_dir);
  if (!copy.ok()) return copy.status();
  found.sha256 = copy->sha256;
  absl::StatusOr<PluginNote> note =
      check_plugin_bytes(found.file, copy->bytes, folder, finder, facts);
  if (!note.ok()) return note.status();
  found.note = *std::move(note);
  if (absl::Status s = check_duplicate(found, seen); !s.ok()) return s;
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> plugin =
      LoadedPlugin::load(found.file, copy->path, found.note, host_table());
  if (!plugin.ok()) return plugin.status();
  if (absl::Status s = (*plugin)->init(); !s.ok()) return s;
  found.plugin = *std::move(plugin);
  return absl::OkStatus();
}

}  // namespace

ScannedFolder scan_plugin_folder(std::string folder, std::string private_dir, HostFacts facts) {
  ScannedFolder scanned;
  if (folder.empty()) return scanned;
  scanned.status = check_plugin_folder(folder);
  if (scanned.status.ok()) scanned.status = prepare_private_dir(private_dir);
  absl::StatusOr<std::vector<std::string>> files;
  if (scanned.status.ok()) {
    files = plugin_files(folder);
    scanned.status = files.status();
  }
  if (!scanned.status.ok()) return scanned;
  const LibraryFinder finder;
  Seen seen;
  scanned.found.reserve(files->size());  // `seen` points into it
  for (const std::string& file : *files) {
    FoundPlugin& found = scanned.found.emplace_back();
    found.file = file;
    found.status = load_one(folder, private_dir, finder, facts, seen, found);
    if (found.status.ok()) seen.emplace(found.note.id, &found);
  }
  return scanned;
}

}  // namespace fermata

#include "services/pipeline/pipeline_library.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "services/config/nearest_name.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

// One more than a pipeline may have, so that the parser sees that it is too large.
constexpr size_t kMaxFile = (1 << 20) + 1;

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Sorted, so that errors come in the same order on every machine.
absl::StatusOr<std::vector<std::string>> yaml_files(const std::string& folder) {
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) {
    return absl::NotFoundError(
        str_cat(folder, ": expected a folder of pipelines, got: ", std::strerror(errno)));
  }
  std::vector<std::string> files;
  while (const dirent* entry = readdir(directory)) {
    std::string name = entry->d_name;
    bool yaml = ends_with(name, ".yaml") || ends_with(name, ".yml");
    if (yaml && name[0] != '.') files.push_back(str_cat(folder, "/", name));
  }
  closedir(directory);
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<std::string> read_file(const std::string& path) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) {
    return absl::InvalidArgumentError(
        str_cat(path, ":1:1: expected a file, got something else or nothing"));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return absl::InvalidArgumentError(
        str_cat(path, ":1:1: expected a readable file, got: ", std::strerror(errno)));
  }
  std::string text(kMaxFile, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  return text;
}

}  // namespace

absl::Status PipelineLibrary::load(const std::string& folder, const StageCatalog* catalog) {
  absl::StatusOr<std::vector<std::string>> files = yaml_files(folder);
  if (!files.ok()) return files.status();
  std::string errors;
  auto fail = [&](std::string_view message) {
    str_append(&errors, errors.empty() ? "" : "\n", message);
  };
  std::map<std::string, std::shared_ptr<const Pipeline>, std::less<>> loaded;
  std::map<std::string, std::string> file_of;
  for (const std::string& path : *files) {
    absl::StatusOr<std::string> text = read_file(path);
    if (!text.ok()) {
      fail(from_absl(text.status().message()));
      continue;
    }
    absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline = parse_pipeline(*text, path, catalog);
    if (!pipeline.ok()) {
      fail(from_absl(pipeline.status().message()));
      continue;
    }
    const std::string& name = (*pipeline)->name;
    if (!loaded.emplace(name, *pipeline).second) {
      fail(str_cat(path, ":1:1: pipeline, expected a name that no other file has, got '", name,
                   "', as in ", file_of[name]));
    } else {
      file_of[name] = path;
    }
  }
  if (!errors.empty()) return absl::InvalidArgumentError(errors);
  pipelines_ = std::move(loaded);
  return absl::OkStatus();
}

absl::Status PipelineLibrary::add(std::shared_ptr<const Pipeline> pipeline) {
  std::string name = pipeline->name;
  if (!pipelines_.emplace(name, std::move(pipeline)).second) {
    return absl::AlreadyExistsError(
        str_cat("expected a pipeline name that is not taken, got '", name, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Pipeline>> PipelineLibrary::resolve(
    std::string_view name) const {
  auto found = pipelines_.find(name);
  if (found != pipelines_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, pipeline] : pipelines_) names.push_back(known);
  return absl::NotFoundError(str_cat("expected the name of a pipeline, got '",
                                     utf8_preview(name, 80), "'", did_you_mean(name, names)));
}

std::vector<std::shared_ptr<const Pipeline>> PipelineLibrary::list() const {
  std::vector<std::shared_ptr<const Pipeline>> all;
  for (const auto& [name, pipeline] : pipelines_) all.push_back(pipeline);
  return all;
}

}  // namespace fermata

#include "services/plugin_kit/new_project.h"

#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/embedded_files.h"

namespace fermata::kit {
namespace {

constexpr char kExamples[] = "plugins/examples/";
constexpr char kTemplates[] = "services/plugin_kit/templates/";

bool good_name(std::string_view name) {
  if (name.empty() || name.size() > 40 || !absl::ascii_islower(name.front())) return false;
  for (char c : name) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '_') return false;
  }
  return true;
}

// Where a file of the repository goes in a project of this language; empty: nowhere.
std::string place_of(std::string_view path, const ProjectOptions& options) {
  const auto below = [&](std::string_view folder) -> std::string_view {
    return path.starts_with(folder) ? path.substr(folder.size()) : std::string_view();
  };
  if (std::string_view sample = below(str_cat(kExamples, "testdata/")); !sample.empty()) {
    return str_cat("testdata/", sample);
  }
  if (std::string_view rest = below(str_cat(kTemplates, options.language, "/")); !rest.empty()) {
    return std::string(rest);
  }
  const std::string own = str_cat(kExamples, options.language, "/");
  if (options.language == "rust") return std::string(below(own));
  if (options.language == "c") {
    if (path == "plugins/abi/fermata_abi.h") return "fermata_abi.h";
    if (path == "plugins/sdk/plugin.map") return "plugin.map";
    return path == own + "upper.c" ? options.name + ".c" : "";
  }
  // The SDK's own includes name the folders, so they stay.
  if (!below("plugins/abi/").empty() || !below("plugins/sdk/").empty() ||
      !below("services/async/").empty()) {
    return str_cat("sdk/", path);
  }
  return path == own + "upper.cc" ? options.name + ".cc" : "";
}

std::string renamed(std::string_view text, const ProjectOptions& options) {
  const std::string example = str_cat("upper_", options.language);
  return absl::StrReplaceAll(for_absl(text), {{example, options.name}, {"@NAME@", options.name}});
}

absl::Status write_file(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (out.good()) return absl::OkStatus();
  return absl::UnavailableError(str_cat(path.string(), ": cannot be written"));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> make_project(const ProjectOptions& options) {
  if (options.language != "c" && options.language != "cpp" && options.language != "rust") {
    return absl::InvalidArgumentError(
        str_cat("no template for language '", options.language, "', expected c, cpp or rust"));
  }
  if (!good_name(options.name)) {
    return absl::InvalidArgumentError(str_cat("'", options.name,
                                              "' is no name for a plugin: a-z, then a-z 0-9 _, at "
                                              "most 40"));
  }
  const std::filesystem::path folder = options.folder.empty() ? options.name : options.folder;
  std::error_code error;
  if (std::filesystem::exists(folder, error) && !std::filesystem::is_empty(folder, error)) {
    return absl::AlreadyExistsError(
        str_cat(folder.string(), ": is there already and not an empty folder"));
  }
  std::vector<std::string> written;
  for (const EmbeddedFile& file : embedded_files()) {
    const std::string place = place_of(file.path, options);
    if (place.empty()) continue;
    // The vendored files stay as they are.
    const bool vendored = file.path.starts_with("plugins/abi/") ||
                          file.path.starts_with("plugins/sdk/") ||
                          file.path.starts_with("services/async/");
    const std::string text = vendored ? std::string(file.text) : renamed(file.text, options);
    if (absl::Status status = write_file(folder / place, text); !status.ok()) return status;
    written.push_back((folder / place).string());
  }
  return written;
}

}  // namespace fermata::kit

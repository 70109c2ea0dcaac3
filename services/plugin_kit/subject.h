// Subject: the plugin file that is being checked, as far as a check has got into it.
//
// Its bytes are always there; its code is loaded when plugin() is first asked for. One per process,
// one thread.
#ifndef SERVICES_PLUGIN_KIT_SUBJECT_H_
#define SERVICES_PLUGIN_KIT_SUBJECT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "plugins/abi/fermata_abi.h"
#include "services/plugin_kit/check.h"
#include "services/stages/elf_image.h"
#include "services/stages/plugin_library.h"
#include "services/stages/plugin_note.h"

namespace fermata::kit {

inline std::string_view view_of(fermata_str text) { return {text.ptr, text.len}; }

struct Sample {
  std::string name;  // "hello", or "generated"
  std::string input;
  std::optional<std::string> expected;
};

class Subject {
 public:
  // An error when the file cannot be read, is no regular file, or is larger than any plugin.
  static absl::StatusOr<std::unique_ptr<Subject>> read(CheckOptions options);

  const CheckOptions& options() const { return options_; }
  const std::string& path() const { return options_.file; }
  std::string_view bytes() const { return bytes_; }
  std::string directory() const;
  const absl::StatusOr<ElfImage>& image() const { return image_; }
  const absl::StatusOr<PluginNote>& note() const { return note_; }
  bool isolated() const;  // the note asks for a process of its own
  // Built with ASan, which keeps memory and mappings for reasons of its own.
  bool under_asan() const;

  // Loads, describes with the laboratory's table, checks the descriptor, calls init(). Once.
  absl::StatusOr<const fermata_plugin*> plugin();
  absl::StatusOr<PluginLibrary*> library();  // loaded only
  // quiesce() and fini().
  void shut_down();

  // What create() gets: testdata/<stage>/config.json, or {}; defaults filled in.
  absl::StatusOr<std::string> config(const fermata_stage& stage) const;
  // testdata/<stage>/*.in, or one that the schema's own words make up. Never empty.
  std::vector<Sample> samples(const fermata_stage& stage) const;

  // Where the plugin is, for the report if this process dies.
  std::function<void(std::string_view)> on_entry;

 private:
  explicit Subject(CheckOptions options) : options_(std::move(options)) {}
  std::string testdata(const fermata_stage& stage, std::string_view name) const;

  CheckOptions options_;
  std::string bytes_;
  absl::StatusOr<ElfImage> image_{absl::UnknownError("not read")};
  absl::StatusOr<PluginNote> note_{absl::UnknownError("not read")};
  std::unique_ptr<PluginLibrary> library_;
  const fermata_plugin* plugin_ = nullptr;
};

// Whole. What it says on error begins with the path.
absl::StatusOr<std::string> read_file(const std::string& path);
// A value that the schema accepts, as far as types, required members, bounds and enumerations say;
// "null" when it accepts anything.
std::string sample_of_schema(std::string_view schema);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_SUBJECT_H_

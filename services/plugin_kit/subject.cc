#include "services/plugin_kit/subject.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/config/private_file.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/lab_host.h"
#include "services/stages/input_check.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/private_copy.h"

namespace fermata::kit {

absl::StatusOr<std::string> read_file(const std::string& path) {
  return read_private_file(path, FilePrivacy::kAny, kMaxPluginBytes);
}

absl::StatusOr<std::unique_ptr<Subject>> Subject::read(CheckOptions options) {
  absl::StatusOr<std::string> bytes = read_file(options.file);
  if (!bytes.ok()) return bytes.status();
  auto subject = std::unique_ptr<Subject>(new Subject(std::move(options)));
  subject->bytes_ = *std::move(bytes);
  subject->image_ = ElfImage::parse(subject->bytes_);
  if (subject->image_.ok()) {
    subject->note_ = find_plugin_note(*subject->image_);
  } else {
    subject->note_ = subject->image_.status();
  }
  return subject;
}

std::string Subject::directory() const {
  const std::string parent = std::filesystem::path(options_.file).parent_path().string();
  return parent.empty() ? "." : parent;
}

bool Subject::isolated() const {
  return note_.ok() && (note_->flags & FERMATA_PLUGIN_ISOLATE) != 0;
}

bool Subject::under_asan() const {
  if (!image_.ok()) return false;
  return std::any_of(image_->symbols.begin(), image_->symbols.end(),
                     [](const ElfSymbol& symbol) { return symbol.name.starts_with("__asan_"); });
}

absl::StatusOr<PluginLibrary*> Subject::library() {
  if (library_ == nullptr) {
    // A bare name would be looked for in the system's folders.
    absl::StatusOr<std::unique_ptr<PluginLibrary>> opened =
        PluginLibrary::open(std::filesystem::absolute(options_.file).string());
    if (!opened.ok()) return opened.status();
    library_ = *std::move(opened);
  }
  return library_.get();
}

absl::StatusOr<const fermata_plugin*> Subject::plugin() {
  if (plugin_ != nullptr) return plugin_;
  const absl::StatusOr<PluginLibrary*> opened = library();
  if (!opened.ok()) return opened.status();
  const fermata_plugin* plugin = (*opened)->describe(LabHost::table());
  if (plugin == nullptr) {
    return absl::FailedPreconditionError(str_cat("fermata_plugin_v1 refused a host of ABI ",
                                                 FERMATA_ABI_MAJOR, ".", FERMATA_ABI_MINOR,
                                                 ": it returned NULL"));
  }
  const std::string name = std::filesystem::path(options_.file).filename().string();
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> checked =
      LoadedPlugin::from_descriptor(name, plugin);
  if (!checked.ok()) return checked.status();
  if (on_entry) on_entry("init()");
  if (absl::Status status = (*checked)->init(); !status.ok()) return status;
  plugin_ = plugin;
  return plugin_;
}

void Subject::shut_down() {
  if (plugin_ == nullptr) return;
  if (on_entry) on_entry("quiesce()");
  if (plugin_->quiesce != nullptr) plugin_->quiesce();
  if (on_entry) on_entry("fini()");
  if (plugin_->fini != nullptr) plugin_->fini();
  plugin_ = nullptr;
}

std::string Subject::testdata(const fermata_stage& stage, std::string_view name) const {
  const std::string root =
      options_.testdata.empty() ? directory() + "/testdata" : options_.testdata;
  return str_cat(root, "/", view_of(stage.name), name.empty() ? "" : "/", name);
}

absl::StatusOr<std::string> Subject::config(const fermata_stage& stage) const {
  std::string text = read_file(testdata(stage, "config.json")).value_or("{}");
  absl::StatusOr<std::shared_ptr<const JsonSchema>> schema =
      compile_schema(view_of(stage.config_schema));
  if (!schema.ok()) return schema.status();
  return check_json(schema->get(), std::move(text));
}

std::vector<Sample> Subject::samples(const fermata_stage& stage) const {
  const absl::StatusOr<std::shared_ptr<const JsonSchema>> schema =
      compile_schema(view_of(stage.input_schema));
  // As the server does: defaults filled in; what the schema refuses never reaches the stage.
  const auto filled = [&](std::string text) {
    absl::StatusOr<std::string> checked =
        schema.ok() ? check_json(schema->get(), text) : absl::StatusOr<std::string>(text);
    return checked.ok() ? *checked : text;
  };
  std::vector<Sample> samples;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(testdata(stage, ""), ignored)) {
    if (entry.path().extension() != ".in") continue;
    absl::StatusOr<std::string> input = read_file(entry.path().string());
    if (!input.ok()) continue;
    std::filesystem::path out = entry.path();
    out.replace_extension(".out");
    Sample& sample = samples.emplace_back(entry.path().stem().string(), filled(*std::move(input)));
    absl::StatusOr<std::string> expected = read_file(out.string());
    if (expected.ok()) sample.expected = *std::move(expected);
  }
  std::sort(samples.begin(), samples.end(),
            [](const Sample& a, const Sample& b) { return a.name < b.name; });
  if (samples.empty()) {
    samples.push_back({"generated", filled(sample_of_schema(view_of(stage.input_schema))), {}});
  }
  return samples;
}

}  // namespace fermata::kit

// file: stages that read and write files below one folder.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/file/file_stages.h"
#include "plugins/sdk/sdk.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "root": {"type": "string", "minLength": 1, "description": "the folder that stages may touch"},
    "read_only": {"type": "boolean", "default": false},
    "max_bytes": {"type": ["string", "integer"], "default": "64MiB"}
  }
})";

constexpr char kReadInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["path"],
  "properties": {
    "path": {"type": "string", "minLength": 1, "description": "below the root: a/b.txt"},
    "encoding": {"enum": ["text", "base64"], "default": "text"},
    "max_bytes": {"type": ["string", "integer"], "description": "at most the server's own limit"}
  }
})";

constexpr char kWriteInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["path", "content"],
  "properties": {
    "path": {"type": "string", "minLength": 1, "description": "below the root: a/b.txt"},
    "content": {"type": "string"},
    "encoding": {"enum": ["text", "base64"], "default": "text"},
    "mode": {"enum": ["create", "replace", "append"], "default": "create"},
    "make_folders": {"type": "boolean", "default": false},
    "sync": {"type": "boolean", "default": true, "description": "on disk before the stage ends"}
  }
})";

// The configured root, opened once: renaming or replacing the folder later changes nothing.
struct Place {
  file::Config config;
  std::optional<file::Root> root;

  static absl::StatusOr<std::unique_ptr<Place>> open(std::string_view config_json) {
    absl::StatusOr<file::Config> config = file::read_config(config_json);
    if (!config.ok()) return config.status();
    auto place = std::make_unique<Place>();
    place->config = *std::move(config);
    if (place->config.root.empty()) return place;
    absl::StatusOr<file::Root> root = file::Root::open(place->config.root);
    if (!root.ok()) return root.status();
    place->root = *std::move(root);
    return place;
  }

  absl::Status check() const {
    if (root.has_value()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "file: this server has no folder for files; set plugins.config.file.root in fermata.yaml");
  }
};

absl::StatusOr<std::string> read_for(const file::Root* root, file::ReadOptions options,
                                     const Call* call) {
  return file::read(*root, options, [call] { return call->cancelled(); });
}

absl::StatusOr<std::string> write_for(const file::Root* root, file::WriteOptions options,
                                      const Call* call) {
  return file::write(*root, options, [call] { return call->cancelled(); });
}

class Read {
 public:
  explicit Read(std::unique_ptr<Place> place) : place_(std::move(place)) {}
  static const StageSpec& spec() {
    static const StageSpec spec = {"read", "the content of a file", kConfigSchema, kReadInput,
                                   FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Read>> create(Instance&, std::string_view config) {
    absl::StatusOr<std::unique_ptr<Place>> place = Place::open(config);
    if (!place.ok()) return place.status();
    return std::make_unique<Read>(*std::move(place));
  }
  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::Status usable = place_->check();
    if (!usable.ok()) co_return usable;
    absl::StatusOr<file::ReadOptions> options =
        file::read_read_options(call.input(), place_->config);
    if (!options.ok()) co_return options.status();
    const file::Root* root = &*place_->root;
    const Call* self = &call;
    absl::StatusOr<std::string> out = co_await offload(&read_for, root, *std::move(options), self);
    co_return out;
  }

 private:
  std::unique_ptr<Place> place_;
};

// Not idempotent: `create` fails the second time and `append` adds twice.
class Write {
 public:
  explicit Write(std::unique_ptr<Place> place) : place_(std::move(place)) {}
  static const StageSpec& spec() {
    static const StageSpec spec = {"write", "create, replace or extend a file", kConfigSchema,
                                   kWriteInput, 0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Write>> create(Instance&, std::string_view config) {
    absl::StatusOr<std::unique_ptr<Place>> place = Place::open(config);
    if (!place.ok()) return place.status();
    return std::make_unique<Write>(*std::move(place));
  }
  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::Status usable = place_->check();
    if (!usable.ok()) co_return usable;
    absl::StatusOr<file::WriteOptions> options =
        file::read_write_options(call.input(), place_->config);
    if (!options.ok()) co_return options.status();
    const file::Root* root = &*place_->root;
    const Call* self = &call;
    absl::StatusOr<std::string> out = co_await offload(&write_for, root, *std::move(options), self);
    co_return out;
  }

 private:
  std::unique_ptr<Place> place_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.file", "1.0.0", fermata::Read, fermata::Write);

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "plugins/file/file_stages.h"
#include "plugins/sdk/fields.h"

namespace fermata::file {
namespace {

bool is_base64(Fields& fields) {
  const std::string encoding = fields.text("encoding", "text");
  if (encoding != "text" && encoding != "base64") {
    fields.complain("encoding", absl::StrCat("expected text or base64, got '", encoding, "'"));
  }
  return encoding == "base64";
}

std::string read_path(Fields& fields) {
  std::string path = fields.text("path");
  const absl::Status status = check_path(path);
  if (!status.ok()) fields.complain("path", std::string(status.message()));
  return path;
}

WriteMode read_mode(Fields& fields) {
  const std::string mode = fields.text("mode", "create");
  if (mode == "replace") return WriteMode::kReplace;
  if (mode == "append") return WriteMode::kAppend;
  if (mode != "create") {
    fields.complain("mode", absl::StrCat("expected create, replace or append, got '", mode, "'"));
  }
  return WriteMode::kCreate;
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  config.root = fields.text("root");
  config.read_only = fields.flag("read_only", config.read_only);
  config.bytes_max = fields.bytes("max_bytes", config.bytes_max);
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<ReadOptions> read_read_options(std::string_view input, const Config& config) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  ReadOptions options;
  options.path = read_path(fields);
  options.base64 = is_base64(fields);
  options.bytes_max = std::min(fields.bytes("max_bytes", config.bytes_max), config.bytes_max);
  if (!fields.status().ok()) return fields.status();
  return options;
}

absl::StatusOr<WriteOptions> read_write_options(std::string_view input, const Config& config) {
  if (config.read_only) {
    return absl::PermissionDeniedError("write: this server's file plugin is configured read_only");
  }
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  WriteOptions options;
  options.path = read_path(fields);
  options.mode = read_mode(fields);
  options.make_folders = fields.flag("make_folders", options.make_folders);
  options.sync = fields.flag("sync", options.sync);
  const bool base64 = is_base64(fields);
  std::string content = fields.text("content");
  if (!fields.status().ok()) return fields.status();
  if (!base64) {
    options.content = std::move(content);
  } else if (!absl::Base64Unescape(content, &options.content)) {
    return absl::InvalidArgumentError("content: expected base64 (encoding is base64)");
  }
  if (options.content.size() > config.bytes_max) {
    return absl::OutOfRangeError(absl::StrCat("content: ", options.content.size(),
                                              " bytes, the limit is ", config.bytes_max,
                                              " (max_bytes of this plugin's config)"));
  }
  return options;
}

}  // namespace fermata::file

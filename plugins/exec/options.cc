#include "plugins/exec/options.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "plugins/sdk/fields.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/nearest_name.h"
#include "services/config/str_cat.h"

namespace fermata::exec {
namespace {

constexpr std::size_t kArgumentsMax = 1000;
constexpr std::size_t kArgumentBytesMax = 128 << 10;    // the kernel's own limit for one string
constexpr absl::Duration kGraceMax = absl::Seconds(4);  // the server waits five

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

std::map<std::string, std::string> read_texts_by_name(Fields& fields, std::string_view name) {
  std::map<std::string, std::string> out;
  const JsonValue* value = fields.any(name);
  if (value == nullptr || value->IsNull()) return out;
  if (!value->IsObject()) {
    fields.complain(name, str_cat("expected an object of strings, got ", json_preview(*value)));
    return out;
  }
  for (const auto& member : value->GetObject()) {
    const std::string_view key = as_string_view(member.name);
    if (!member.value.IsString() || has_nul(as_string_view(member.value))) {
      fields.complain(name, str_cat("expected text for '", key, "'"));
    } else if (key.empty() || has_nul(key) || key.find('=') != std::string_view::npos) {
      fields.complain(name, "a name is empty, or has '=' or NUL in it");
    } else {
      out.emplace(key, as_string_view(member.value));
    }
  }
  return out;
}

std::size_t read_count(Fields& fields, std::string_view name, std::size_t otherwise) {
  const std::int64_t count = fields.integer(name, static_cast<std::int64_t>(otherwise));
  if (count < 0) fields.complain(name, str_cat("expected at least 0, got ", count));
  return static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
}

void read_command(Fields& fields, const Config& config, Request& request) {
  request.command = fields.text("command");
  const auto found = config.commands.find(request.command);
  if (found == config.commands.end()) {
    std::vector<std::string> known;
    for (const auto& [name, path] : config.commands) known.push_back(name);
    return fields.complain(
        "command",
        known.empty()
            ? "this server allows none; set plugins.config.exec.commands in fermata.yaml"
            : str_cat("'", request.command, "' is not one of the ", known.size(),
                      " commands that this server allows", did_you_mean(request.command, known)));
  }
  request.argv.push_back(found->second);
  for (std::string& argument : fields.texts("args")) {
    if (has_nul(argument)) fields.complain("args", "an argument has a NUL character inside");
    if (argument.size() >= kArgumentBytesMax) {
      fields.complain("args", str_cat("an argument has ", argument.size(), " bytes, the limit is ",
                                      kArgumentBytesMax - 1, "; give it as stdin"));
    }
    request.argv.push_back(std::move(argument));
  }
  if (request.argv.size() > kArgumentsMax) {
    fields.complain("args",
                    str_cat(request.argv.size() - 1, " of them, the limit is ", kArgumentsMax - 1));
  }
}

void read_input(Fields& fields, const Config& config, Request& request) {
  const JsonValue* base64 = fields.any("stdin_base64");
  if (base64 != nullptr && fields.any("stdin") != nullptr) {
    return fields.complain("stdin", "give one of stdin and stdin_base64");
  }
  if (base64 == nullptr) {
    request.input = fields.text("stdin");
  } else if (!absl::Base64Unescape(fields.text("stdin_base64"), &request.input)) {
    fields.complain("stdin_base64", "expected base64");
  }
  if (request.input.size() > config.input_bytes_max) {
    fields.complain("stdin", str_cat(request.input.size(), " bytes, the limit is ",
                                     format_bytes(config.input_bytes_max), " (max_input)"));
  }
}

void read_environment(Fields& fields, const Config& config, Request& request) {
  std::map<std::string, std::string> all = config.environment;
  for (auto& [name, value] : read_texts_by_name(fields, "environment")) {
    const auto& allowed = config.allow_environment;
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      fields.complain("environment",
                      str_cat("'", name, "' may not be set by a call", did_you_mean(name, allowed),
                              "; plugins.config.exec.allow_environment lists those that may"));
    }
    all[name] = value;
  }
  for (const auto& [name, value] : all) request.environment.push_back(str_cat(name, "=", value));
}

void read_limits(Fields& fields, const Config& config, Request& request) {
  request.timeout = fields.duration("timeout", std::min(request.timeout, config.time_max));
  if (request.timeout > config.time_max) {
    fields.complain("timeout", str_cat(format_duration(request.timeout), ", the limit is ",
                                       format_duration(config.time_max), " (max_time)"));
  }
  request.output_bytes_max =
      std::min(fields.bytes("max_output", config.output_bytes_max), config.output_bytes_max);
  request.expect_any = fields.text("expect", "success") == "any";
  request.base64 = fields.text("encoding", "auto") == "base64";
  const JsonValue* codes = fields.any("retry_codes");
  if (codes == nullptr || !codes->IsArray()) return;
  for (const JsonValue& code : codes->GetArray()) {
    if (code.IsInt64()) request.retry_codes.push_back(code.GetInt64());
  }
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  config.commands = read_texts_by_name(fields, "commands");
  for (const auto& [name, path] : config.commands) {
    if (!path.starts_with('/')) {
      fields.complain("commands",
                      str_cat("'", name, "': expected an absolute path, got '", path, "'"));
    }
  }
  config.environment = read_texts_by_name(fields, "environment");
  config.allow_environment = fields.texts("allow_environment");
  config.folder = fields.text("folder", config.folder);
  if (!config.folder.starts_with('/')) {
    fields.complain("folder", str_cat("expected an absolute path, got '", config.folder, "'"));
  }
  config.processes_max = read_count(fields, "max_processes", config.processes_max);
  if (config.processes_max == 0) fields.complain("max_processes", "expected at least 1, got 0");
  config.waiting_max = read_count(fields, "max_waiting", config.waiting_max);
  config.input_bytes_max = fields.bytes("max_input", config.input_bytes_max);
  config.output_bytes_max = fields.bytes("max_output", config.output_bytes_max);
  config.time_max = fields.duration("max_time", config.time_max);
  config.grace = fields.duration("grace", config.grace);
  if (config.grace > kGraceMax) {
    fields.complain("grace", str_cat("expected at most ", format_duration(kGraceMax), ", got ",
                                     format_duration(config.grace)));
  }
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input, const Config& config) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  read_command(fields, config, request);
  read_input(fields, config, request);
  read_environment(fields, config, request);
  read_limits(fields, config, request);
  request.folder = fields.text("folder");
  if (has_nul(request.folder) || request.folder.starts_with('/')) {
    fields.complain("folder", str_cat("expected a folder below ", config.folder, ", got '",
                                      request.folder, "'"));
  }
  if (!fields.status().ok()) return fields.status();
  return request;
}

}  // namespace fermata::exec

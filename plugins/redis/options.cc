#include "plugins/redis/options.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "plugins/sdk/fields.h"
#include "services/config/bytes.h"
#include "services/config/nearest_name.h"
#include "services/config/str_cat.h"

namespace fermata::redis {
namespace {

constexpr std::size_t kArgumentsMax = 100'000;

// These change what the next call on the same connection would see, or never give one reply.
constexpr std::string_view kNever[] = {
    "AUTH",       "HELLO",      "SELECT",       "RESET",        "QUIT",    "CLIENT",
    "MULTI",      "EXEC",       "DISCARD",      "WATCH",        "UNWATCH", "SUBSCRIBE",
    "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE",  "PUNSUBSCRIBE", "MONITOR", "SYNC",
    "PSYNC",      "READONLY",   "SUNSUBSCRIBE", "READWRITE",    "ASKING"};

void read_address(Fields& fields, Config& config) {
  config.address = fields.text("address");
  std::string_view rest(config.address);
  if (rest.empty()) return;
  if (rest.starts_with("unix:")) {
    config.unix_path = rest.substr(5);
    return;
  }
  const std::size_t colon = rest.rfind(':');
  const bool bracketed = rest.starts_with('[') && colon != 0 && rest[colon - 1] == ']';
  std::uint32_t port = 0;
  if (colon == std::string_view::npos || colon == 0 || !(bracketed || rest.find(':') == colon) ||
      !absl::SimpleAtoi(for_absl(rest.substr(colon + 1)), &port) || port == 0 || port > 65535) {
    return fields.complain("address",
                           str_cat("expected host:port or unix:/path, got '", config.address, "'"));
  }
  config.host = bracketed ? rest.substr(1, colon - 2) : rest.substr(0, colon);
  config.port = static_cast<std::uint16_t>(port);
}

std::size_t read_count(Fields& fields, std::string_view name, std::size_t least,
                       std::size_t otherwise) {
  const std::int64_t count = fields.integer(name, static_cast<std::int64_t>(otherwise));
  if (count >= static_cast<std::int64_t>(least)) return static_cast<std::size_t>(count);
  fields.complain(name, str_cat("expected at least ", least, ", got ", count));
  return otherwise;
}

std::string upper(std::string text) {
  absl::AsciiStrToUpper(&text);
  return text;
}

void check_allowed(Fields& fields, const Config& config, const std::string& name) {
  if (std::find(std::begin(kNever), std::end(kNever), name) != std::end(kNever)) {
    return fields.complain("command", str_cat("'", name,
                                              "' is about the connection, which calls share; use "
                                              "one command or a script (EVAL)"));
  }
  const auto& allowed = config.allow_commands;
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), name) != allowed.end()) return;
  fields.complain("command", str_cat("'", name, "' is not one of the ", allowed.size(),
                                     " that plugins.config.redis.allow_commands lists",
                                     did_you_mean(name, allowed)));
}

void read_command(Fields& fields, const Config& config, Request& request) {
  const JsonValue* command = fields.any("command");
  if (command == nullptr || !command->IsArray() || command->Empty() || !(*command)[0].IsString() ||
      (*command)[0].GetStringLength() == 0) {
    return fields.complain("command", "expected an array such as [\"GET\", \"key\"]");
  }
  if (command->Size() > kArgumentsMax) {
    fields.complain("command", str_cat(command->Size(), " parts, the limit is ", kArgumentsMax));
  }
  std::uint64_t bytes = 0;
  for (const JsonValue& part : command->GetArray()) {
    if (part.IsString()) {
      request.command.emplace_back(as_string_view(part));
    } else if (part.IsNumber()) {
      request.command.push_back(to_json(part));
    } else {
      return fields.complain("command",
                             str_cat("expected text or a number, got a ", json_type_name(part)));
    }
    bytes += request.command.back().size();
  }
  if (bytes > config.command_bytes_max) {
    fields.complain("command", str_cat(bytes, " bytes, the limit is ",
                                       format_bytes(config.command_bytes_max), " (max_command)"));
  }
  check_allowed(fields, config, request.name());
}

}  // namespace

std::string Request::name() const { return command.empty() ? "" : upper(command[0]); }

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  read_address(fields, config);
  config.username = fields.text("username");
  config.password = fields.text("password");
  if (!config.username.empty() && config.password.empty()) {
    fields.complain("username", "there is no password to go with it");
  }
  config.database = fields.integer("database", config.database);
  config.connections_max = read_count(fields, "max_connections", 1, config.connections_max);
  config.waiting_max = read_count(fields, "max_waiting", 0, config.waiting_max);
  config.connect_timeout = fields.duration("connect_timeout", config.connect_timeout);
  config.command_bytes_max = fields.bytes("max_command", config.command_bytes_max);
  config.reply_bytes_max = fields.bytes("max_reply", config.reply_bytes_max);
  for (std::string& name : fields.texts("allow_commands")) {
    config.allow_commands.push_back(upper(std::move(name)));
  }
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input, const Config& config) {
  if (config.address.empty()) {
    return absl::FailedPreconditionError(
        "redis: this server knows no Redis; set plugins.config.redis.address in fermata.yaml");
  }
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  read_command(fields, config, request);
  request.timeout = fields.duration("timeout", request.timeout);
  request.base64 = fields.text("encoding", "auto") == "base64";
  if (!fields.status().ok()) return fields.status();
  return request;
}

}  // namespace fermata::redis

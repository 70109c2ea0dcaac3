#include "plugins/postgres/options.h"

#include <algorithm>

#include "plugins/sdk/fields.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::postgres {
namespace {

constexpr std::size_t kParametersMax = 65535;  // the protocol counts them with 16 bits

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

std::int64_t read_count(Fields& fields, std::string_view name, std::int64_t least,
                        std::int64_t otherwise) {
  const std::int64_t count = fields.integer(name, otherwise);
  if (count >= least) return count;
  fields.complain(name, str_cat("expected at least ", least, ", got ", count));
  return otherwise;
}

std::string read_text(Fields& fields, std::string_view name, std::string_view otherwise = "") {
  std::string text = fields.text(name, otherwise);
  if (has_nul(text)) fields.complain(name, "it has a NUL character inside");
  return text;
}

// PostgreSQL gives a parameter its type from the statement, and reads it from text.
void read_parameters(Fields& fields, Request& request) {
  const JsonValue* parameters = fields.any("parameters");
  if (parameters == nullptr || parameters->IsNull()) return;
  if (!parameters->IsArray()) {
    return fields.complain("parameters",
                           str_cat("expected an array, got ", json_preview(*parameters)));
  }
  if (parameters->Size() > kParametersMax) {
    return fields.complain("parameters", str_cat(parameters->Size(), " of them, the limit is ",
                                                 kParametersMax, "; give one JSON array instead"));
  }
  for (const JsonValue& value : parameters->GetArray()) {
    if (value.IsNull()) {
      request.parameters.emplace_back();
    } else if (value.IsString()) {
      request.parameters.emplace_back(as_string_view(value));
      if (has_nul(*request.parameters.back())) {
        return fields.complain("parameters",
                               str_cat("$", request.parameters.size(),
                                       " has a NUL character inside, which text cannot hold"));
      }
    } else {
      request.parameters.emplace_back(to_json(value));
    }
  }
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  config.host = read_text(fields, "host");
  const std::int64_t port = fields.integer("port", config.port);
  if (port < 1 || port > 65535) fields.complain("port", str_cat("expected 1 to 65535, got ", port));
  config.port = static_cast<std::uint16_t>(port);
  config.user = read_text(fields, "user");
  config.database = read_text(fields, "database", config.user);
  config.password = read_text(fields, "password");
  config.tls = read_text(fields, "tls", config.tls);
  config.ca_file = read_text(fields, "ca_file");
  config.connections_max = static_cast<std::size_t>(
      read_count(fields, "max_connections", 1, static_cast<std::int64_t>(config.connections_max)));
  config.waiting_max = static_cast<std::size_t>(
      read_count(fields, "max_waiting", 0, static_cast<std::int64_t>(config.waiting_max)));
  config.connect_timeout = fields.duration("connect_timeout", config.connect_timeout);
  config.time_max = fields.duration("max_time", config.time_max);
  config.rows_max = read_count(fields, "max_rows", 1, config.rows_max);
  config.bytes_max = fields.bytes("max_bytes", config.bytes_max);
  config.reset = fields.flag("reset", config.reset);
  if (!config.host.empty() && config.user.empty()) fields.complain("user", "expected one");
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input, const Config& config) {
  if (config.host.empty()) {
    return absl::FailedPreconditionError(
        "postgres: this server knows no database; set plugins.config.postgres.host in "
        "fermata.yaml");
  }
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  request.sql = read_text(fields, "sql");
  read_parameters(fields, request);
  request.timeout = fields.duration("timeout", std::min(request.timeout, config.time_max));
  if (request.timeout > config.time_max) {
    fields.complain("timeout", str_cat(format_duration(request.timeout), ", the limit is ",
                                       format_duration(config.time_max), " (max_time)"));
  }
  request.rows_max = std::min(read_count(fields, "max_rows", 1, config.rows_max), config.rows_max);
  request.bytes_max = std::min(fields.bytes("max_bytes", config.bytes_max), config.bytes_max);
  if (!fields.status().ok()) return fields.status();
  return request;
}

}  // namespace fermata::postgres

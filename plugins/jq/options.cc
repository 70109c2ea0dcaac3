#include "plugins/jq/options.h"

#include <algorithm>

#include "plugins/sdk/fields.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::jq {
namespace {

constexpr std::size_t kProgramBytesMax = 64 << 10;

std::int64_t read_count(Fields& fields, std::string_view name, std::int64_t least,
                        std::int64_t otherwise) {
  const std::int64_t count = fields.integer(name, otherwise);
  if (count >= least) return count;
  fields.complain(name, str_cat("expected at least ", least, ", got ", count));
  return otherwise;
}

std::size_t read_size(Fields& fields, std::string_view name, std::int64_t least,
                      std::size_t otherwise) {
  return static_cast<std::size_t>(
      read_count(fields, name, least, static_cast<std::int64_t>(otherwise)));
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  config.time_max = fields.duration("max_time", config.time_max);
  config.bytes_max = fields.bytes("max_bytes", config.bytes_max);
  config.results_max = read_count(fields, "max_results", 1, config.results_max);
  config.programs_max = read_size(fields, "max_programs", 1, config.programs_max);
  config.runs_max = read_size(fields, "max_runs", 1, config.runs_max);
  config.waiting_max = read_size(fields, "max_waiting", 0, config.waiting_max);
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input, const Config& config) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  request.program = fields.text("program");
  if (request.program.size() > kProgramBytesMax ||
      request.program.find('\0') != std::string::npos) {
    fields.complain("program", str_cat(request.program.size(), " bytes, the limit is ",
                                       kProgramBytesMax, "; or it has a NUL character inside"));
  }
  const JsonValue* value = fields.any("input");
  request.input = value == nullptr ? "null" : to_json(*value);
  const JsonValue* variables = fields.any("variables");
  request.variables = variables == nullptr ? "{}" : to_json(*variables);
  request.timeout = fields.duration("timeout", std::min(request.timeout, config.time_max));
  if (request.timeout > config.time_max) {
    fields.complain("timeout", str_cat(format_duration(request.timeout), ", the limit is ",
                                       format_duration(config.time_max), " (max_time)"));
  }
  request.limits.bytes_max =
      std::min(fields.bytes("max_bytes", config.bytes_max), config.bytes_max);
  request.limits.results_max = config.results_max;
  if (!fields.status().ok()) return fields.status();
  return request;
}

}  // namespace fermata::jq

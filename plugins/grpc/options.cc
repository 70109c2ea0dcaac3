#include "plugins/grpc/options.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>

#include "absl/strings/escaping.h"
#include "plugins/sdk/fields.h"
#include "services/config/bytes.h"
#include "services/config/nearest_name.h"
#include "services/config/str_cat.h"

namespace fermata::grpc_call {
namespace {

constexpr std::size_t kMetadataBytesMax = 8 << 10;  // what servers take by default

std::size_t read_count(Fields& fields, std::string_view name, std::int64_t least,
                       std::size_t otherwise) {
  const std::int64_t count = fields.integer(name, static_cast<std::int64_t>(otherwise));
  if (count >= least) return static_cast<std::size_t>(count);
  fields.complain(name, str_cat("expected at least ", least, ", got ", count));
  return otherwise;
}

std::string read_pem(Fields& fields, std::string_view name) {
  const std::string path = fields.text(name);
  if (path.empty()) return "";
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || text.find("-----BEGIN ") == std::string::npos) {
    fields.complain(name, str_cat("expected a file of PEM, got '", path, "'"));
  }
  return text;
}

absl::StatusOr<Target> read_target(const JsonValue& value) {
  Fields fields(value);
  Target target;
  target.address = fields.text("address");
  if (target.address.empty()) fields.complain("address", "expected host:port, got nothing");
  target.tls = fields.flag("tls", target.tls);
  target.ca = read_pem(fields, "ca_file");
  target.certificate = read_pem(fields, "certificate_file");
  target.key = read_pem(fields, "key_file");
  target.server_name = fields.text("server_name");
  if (target.certificate.empty() != target.key.empty()) {
    fields.complain("key_file", "a certificate and its key go together");
  }
  if (!fields.status().ok()) return fields.status();
  return target;
}

// gRPC ends the process over a name or value that HTTP/2 cannot carry: nothing of that reaches it.
bool is_metadata_name(std::string_view name) {
  return !name.empty() && !name.starts_with("grpc-") && name != "host" && name != "te" &&
         name != "content-type" && name != "user-agent" && name != "connection" &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

void read_metadata(Fields& fields, Request& request) {
  const JsonValue* metadata = fields.any("metadata");
  if (metadata == nullptr || !metadata->IsObject()) return;
  std::size_t bytes = 0;
  for (const auto& member : metadata->GetObject()) {
    std::string name(as_string_view(member.name));
    if (!is_metadata_name(name)) {
      return fields.complain("metadata",
                             str_cat("'", name,
                                     "' cannot be set: expected lower case letters, digits, "
                                     "'-', '_' and '.', and none of HTTP's and gRPC's own"));
    }
    if (!member.value.IsString()) {
      return fields.complain("metadata", str_cat("expected text for '", name, "'"));
    }
    std::string value(as_string_view(member.value));
    if (name.ends_with("-bin")) {
      const std::string encoded = std::move(value);
      value.clear();
      if (!absl::Base64Unescape(encoded, &value)) {
        return fields.complain("metadata", str_cat("expected base64 for '", name, "'"));
      }
    } else if (!is_printable(value)) {
      return fields.complain("metadata", str_cat("'", name,
                                                 "' has a character that is not ASCII; "
                                                 "a name that ends in -bin takes bytes"));
    }
    bytes += name.size() + value.size() + 32;
    request.metadata.emplace_back(std::move(name), std::move(value));
  }
  if (bytes <= kMetadataBytesMax) return;
  fields.complain("metadata", str_cat(bytes, " bytes, the limit is ", kMetadataBytesMax));
}

void read_message(Fields& fields, const Config& config, Request& request) {
  if (!absl::Base64Unescape(fields.text("message_base64"), &request.message)) {
    fields.complain("message_base64", "expected base64");
  }
  if (request.message.size() <= config.message_bytes_max) return;
  fields.complain("message_base64",
                  str_cat(request.message.size(), " bytes, the limit is ",
                          format_bytes(config.message_bytes_max), " (max_message)"));
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  const JsonValue* targets = fields.any("targets");
  if (targets != nullptr && targets->IsObject()) {
    for (const auto& member : targets->GetObject()) {
      const std::string name(as_string_view(member.name));
      absl::StatusOr<Target> target = read_target(member.value);
      if (!target.ok()) {
        fields.complain("targets", str_cat(name, ": ", from_absl(target.status().message())));
      } else {
        config.targets.emplace(name, *std::move(target));
      }
    }
  }
  config.calls_max = read_count(fields, "max_calls", 1, config.calls_max);
  config.waiting_max = read_count(fields, "max_waiting", 0, config.waiting_max);
  config.message_bytes_max = fields.bytes("max_message", config.message_bytes_max);
  if (config.message_bytes_max > std::numeric_limits<int>::max()) {
    fields.complain("max_message", "expected less than 2GiB");
  }
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input, const Config& config) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  request.target = fields.text("target");
  if (config.targets.empty()) {
    fields.complain("target",
                    "this server knows none; set plugins.config.grpc.targets in fermata.yaml");
  } else if (!config.targets.contains(request.target)) {
    std::vector<std::string> known;
    for (const auto& [name, target] : config.targets) known.push_back(name);
    fields.complain("target",
                    str_cat("'", request.target, "' is not one of the ", known.size(),
                            " targets of this server", did_you_mean(request.target, known)));
  }
  request.method = fields.text("method");
  const std::size_t slash = request.method.rfind('/');
  if (!request.method.starts_with('/') || slash < 2 || slash == std::string::npos ||
      slash + 1 == request.method.size() || !is_printable(request.method) ||
      request.method.find(' ') != std::string::npos) {
    fields.complain("method",
                    str_cat("expected /package.Service/Method, got '", request.method, "'"));
  }
  read_message(fields, config, request);
  read_metadata(fields, request);
  request.timeout = fields.duration("timeout", request.timeout);
  request.wait_for_ready = fields.flag("wait_for_ready", request.wait_for_ready);
  if (!fields.status().ok()) return fields.status();
  return request;
}

}  // namespace fermata::grpc_call

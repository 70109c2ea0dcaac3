#include "plugins/s3/options.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "plugins/sdk/fields.h"
#include "services/config/bytes.h"
#include "services/config/nearest_name.h"
#include "services/config/sha256.h"
#include "services/config/str_cat.h"

namespace fermata::s3 {
namespace {

constexpr std::size_t kKeyBytesMax = 1024;

bool is_one_line(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

// The characters of a bucket's name, which becomes part of the URL.
bool is_bucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ||
                  c == '_';
         });
}

bool has_dot_segment(std::string_view key) {
  const std::string path = str_cat("/", key, "/");
  return path.find("/./") != std::string::npos || path.find("/../") != std::string::npos;
}

std::string url_of(const Config& config, const Request& request) {
  const std::string key = encode_key(request.key);
  if (config.path_style) return str_cat(config.endpoint, "/", request.bucket, "/", key);
  const std::size_t host = config.endpoint.find("//") + 2;
  return str_cat(config.endpoint.substr(0, host), request.bucket, ".", config.endpoint.substr(host),
                 "/", key);
}

void read_place(Fields& fields, const Config& config, Request& request) {
  request.bucket = fields.text("bucket");
  if (!is_bucket(request.bucket)) {
    fields.complain("bucket", str_cat("'", request.bucket, "' cannot be the name of one"));
  }
  const auto& allowed = config.buckets;
  if (!allowed.empty() &&
      std::find(allowed.begin(), allowed.end(), request.bucket) == allowed.end()) {
    fields.complain("bucket", str_cat("'", request.bucket, "' is not one of the ", allowed.size(),
                                      " that plugins.config.s3.buckets lists",
                                      did_you_mean(request.bucket, allowed)));
  }
  request.key = fields.text("key");
  if (request.key.empty() || request.key.size() > kKeyBytesMax) {
    fields.complain("key",
                    str_cat("expected 1 to ", kKeyBytesMax, " bytes, got ", request.key.size()));
  }
  // HTTP clients and proxies take these for steps in a path.
  if (has_dot_segment(request.key)) fields.complain("key", "'.' and '..' cannot be parts of it");
  request.timeout = fields.duration("timeout", request.timeout);
  request.url = url_of(config, request);
}

void add_header(Fields& fields, std::string_view option, std::string_view name,
                std::string_view value, Request& request) {
  if (!is_one_line(value)) return fields.complain(option, "expected one line of text");
  request.headers.push_back(str_cat(name, ": ", value));
}

void read_content(Fields& fields, const Config& config, Request& request) {
  const int given = (fields.any("content") != nullptr) + (fields.any("content_base64") != nullptr) +
                    (fields.any("json") != nullptr);
  if (given != 1) return fields.complain("content", "give one of content, content_base64 and json");
  std::string type = fields.text("content_type");
  if (const JsonValue* json = fields.any("json")) {
    request.content = to_json(*json);
    if (type.empty()) type = "application/json";
  } else if (fields.any("content_base64") != nullptr) {
    if (!absl::Base64Unescape(fields.text("content_base64"), &request.content)) {
      fields.complain("content_base64", "expected base64");
    }
  } else {
    request.content = fields.text("content");
    if (type.empty()) type = "text/plain; charset=utf-8";
  }
  if (request.content.size() > config.bytes_max) {
    fields.complain("content", str_cat(request.content.size(), " bytes, the limit is ",
                                       format_bytes(config.bytes_max), " (max_bytes)"));
  }
  add_header(fields, "content_type", "Content-Type",
             type.empty() ? "application/octet-stream" : type, request);
}

absl::Status check_configured(const Config& config) {
  if (!config.endpoint.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "s3: this server knows no S3; set plugins.config.s3.endpoint in fermata.yaml");
}

}  // namespace

std::string encode_key(std::string_view key) {
  std::string out;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || std::string_view("-._~/").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += absl::StrFormat("%%%02X", byte);
    }
  }
  return out;
}

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  config.endpoint = fields.text("endpoint");
  while (config.endpoint.ends_with('/')) config.endpoint.pop_back();
  const bool https = config.endpoint.starts_with("https://");
  const std::string_view host =
      std::string_view(config.endpoint)
          .substr(std::min(config.endpoint.size(), std::size_t{https ? 8u : 7u}));
  if (!config.endpoint.empty() &&
      (!(https || config.endpoint.starts_with("http://")) || host.empty() ||
       host.find_first_of("/?#@ ") != std::string_view::npos || !is_one_line(host))) {
    fields.complain("endpoint", str_cat("expected https://host or http://host:port, got '",
                                        config.endpoint, "'"));
  }
  config.region = fields.text("region", config.region);
  config.access_key = fields.text("access_key");
  config.secret_key = fields.text("secret_key");
  config.session_token = fields.text("session_token");
  for (const std::string* text : {&config.region, &config.access_key, &config.session_token}) {
    if (!is_one_line(*text) || text->find(':') != std::string::npos) {
      fields.complain("access_key",
                      "region, access_key and session_token are one line, without ':'");
    }
  }
  if (!config.endpoint.empty() && (config.access_key.empty() || config.secret_key.empty())) {
    fields.complain("secret_key", "expected access_key and secret_key");
  }
  config.path_style = fields.flag("path_style", config.path_style);
  config.buckets = fields.texts("buckets");
  config.ca_file = fields.text("ca_file");
  config.bytes_max = fields.bytes("max_bytes", config.bytes_max);
  config.connections_max = fields.integer("max_connections", config.connections_max);
  if (config.connections_max < 1) fields.complain("max_connections", "expected at least 1");
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_get(std::string_view input, const Config& config) {
  const absl::Status usable = check_configured(config);
  if (!usable.ok()) return usable;
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  read_place(fields, config, request);
  request.bytes_max = std::min(fields.bytes("max_bytes", config.bytes_max), config.bytes_max);
  const std::string form = fields.text("read", "auto");
  if (form == "text") request.form = Form::kText;
  if (form == "base64") request.form = Form::kBase64;
  request.headers.push_back(str_cat("x-amz-content-sha256: ", sha256_hex("")));
  if (!fields.status().ok()) return fields.status();
  return request;
}

absl::StatusOr<Request> read_put(std::string_view input, const Config& config) {
  const absl::Status usable = check_configured(config);
  if (!usable.ok()) return usable;
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  request.put = true;
  read_place(fields, config, request);
  read_content(fields, config, request);
  if (fields.flag("create", false)) request.headers.push_back("If-None-Match: *");
  const JsonValue* metadata = fields.any("metadata");
  if (metadata != nullptr && metadata->IsObject()) {
    for (const auto& member : metadata->GetObject()) {
      std::string name(as_string_view(member.name));
      absl::AsciiStrToLower(&name);
      const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
      });
      if (!token || !member.value.IsString() || member.value.GetStringLength() == 0) {
        fields.complain("metadata", str_cat("'", name,
                                            "': expected letters, digits and '-' as the "
                                            "name, and text"));
        continue;
      }
      add_header(fields, "metadata", str_cat("x-amz-meta-", name), as_string_view(member.value),
                 request);
    }
  }
  request.bytes_max = 1 << 20;  // of an error's text
  request.headers.push_back(str_cat("x-amz-content-sha256: ", sha256_hex(request.content)));
  if (!fields.status().ok()) return fields.status();
  return request;
}

}  // namespace fermata::s3

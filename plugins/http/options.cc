#include "plugins/http/options.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "plugins/http/url.h"
#include "plugins/sdk/fields.h"
#include "services/config/str_cat.h"

namespace fermata::http {
namespace {

// A "token" of RFC 9110: header names and methods.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_one_line(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool same_name(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(for_absl(a), for_absl(b));
}

// These say how the message is framed, which is libcurl's to know; a second opinion is how requests
// get smuggled.
bool is_reserved(std::string_view name) {
  for (std::string_view reserved : {"content-length", "transfer-encoding", "connection", "upgrade",
                                    "te", "trailer", "expect"}) {
    if (same_name(name, reserved)) return true;
  }
  return false;
}

std::vector<Network> read_networks(Fields& fields, std::string_view name) {
  std::vector<Network> networks;
  for (const std::string& text : fields.texts(name)) {
    absl::StatusOr<Network> network = Network::parse(text);
    if (network.ok()) {
      networks.push_back(*std::move(network));
    } else {
      fields.complain(name, from_absl(network.status().message()));
    }
  }
  return networks;
}

void read_headers(Fields& fields, Request& request) {
  const JsonValue* headers = fields.any("headers");
  if (headers == nullptr || headers->IsNull()) return;
  if (!headers->IsObject()) {
    return fields.complain("headers", str_cat("expected an object, got ", json_preview(*headers)));
  }
  for (const auto& member : headers->GetObject()) {
    const std::string_view name = as_string_view(member.name);
    if (!is_token(name)) {
      return fields.complain("headers", str_cat("'", name, "' is not the name of a header"));
    }
    if (is_reserved(name)) {
      return fields.complain("headers", str_cat("'", name, "' is set by this stage itself"));
    }
    if (!member.value.IsString() || !is_one_line(as_string_view(member.value))) {
      return fields.complain("headers", str_cat("'", name, "' needs one line of text, got ",
                                                json_preview(member.value)));
    }
    const std::string_view value = as_string_view(member.value);
    // libcurl's way to send a header that is empty.
    request.headers.push_back(value.empty() ? str_cat(name, ";") : str_cat(name, ": ", value));
  }
}

bool has_header(const Request& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const std::string& line) {
    return same_name(std::string_view(line).substr(0, line.find_first_of(":;")), name);
  });
}

void read_body(Fields& fields, Request& request) {
  const JsonValue* body = fields.any("body");
  const JsonValue* base64 = fields.any("body_base64");
  const JsonValue* json = fields.any("json");
  const int given = (body != nullptr) + (base64 != nullptr) + (json != nullptr);
  if (given == 0) return;
  if (given > 1) return fields.complain("body", "give one of body, body_base64 and json");
  request.has_body = true;
  if (body != nullptr) {
    request.body = fields.text("body");
  } else if (base64 != nullptr) {
    if (!absl::Base64Unescape(fields.text("body_base64"), &request.body)) {
      fields.complain("body_base64", "expected base64");
    }
  } else {
    request.body = to_json(*json);
    if (!has_header(request, "content-type")) {
      request.headers.push_back("Content-Type: application/json");
    }
  }
  if (request.method == "GET" || request.method == "HEAD") {
    fields.complain("body", str_cat("a ", request.method, " request has none"));
  }
}

void read_method(Fields& fields, Request& request) {
  request.method = fields.text("method", "GET");
  absl::AsciiStrToUpper(&request.method);
  if (!is_token(request.method)) {
    fields.complain("method", str_cat("expected GET, POST, ..., got '", request.method, "'"));
  } else if (request.method == "CONNECT") {
    fields.complain("method", "CONNECT opens a tunnel, which is not a request");
  }
}

void read_form(Fields& fields, Request& request) {
  const std::string form = fields.text("read", "auto");
  if (form == "text") {
    request.form = BodyForm::kText;
  } else if (form == "base64") {
    request.form = BodyForm::kBase64;
  } else if (form == "none") {
    request.form = BodyForm::kNone;
  } else if (form != "auto") {
    fields.complain("read", str_cat("expected auto, text, base64 or none, got '", form, "'"));
  }
}

void read_limits(Fields& fields, const Config& config, Request& request) {
  request.timeout = fields.duration("timeout", request.timeout);
  request.connect_timeout = fields.duration("connect_timeout", request.connect_timeout);
  request.bytes_max = std::min(fields.bytes("max_bytes", config.bytes_max), config.bytes_max);
  request.redirects_max = fields.integer("max_redirects", request.redirects_max);
  if (request.redirects_max < 0 || request.redirects_max > 50) {
    fields.complain("max_redirects", "expected 0 to 50");
  }
  const std::string expect = fields.text("expect", "success");
  if (expect != "success" && expect != "any") {
    fields.complain("expect", str_cat("expected success or any, got '", expect, "'"));
  }
  request.expect_any = expect == "any";
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  config.user_agent = fields.text("user_agent", config.user_agent);
  if (!is_one_line(config.user_agent)) fields.complain("user_agent", "expected one line");
  config.connections_max = fields.integer("max_connections", config.connections_max);
  config.host_connections_max =
      fields.integer("max_connections_per_host", config.host_connections_max);
  if (config.connections_max < 1) fields.complain("max_connections", "expected at least 1");
  if (config.host_connections_max < 1) {
    fields.complain("max_connections_per_host", "expected at least 1");
  }
  config.bytes_max = fields.bytes("max_bytes", config.bytes_max);
  config.ca_file = fields.text("ca_file");
  config.insecure = fields.flag("insecure", config.insecure);
  config.proxy = fields.text("proxy");
  config.http2 = fields.flag("http2", config.http2);
  std::vector<Network> allow = read_networks(fields, "allow_networks");
  std::vector<Network> deny = read_networks(fields, "deny_networks");
  const std::string private_networks = fields.text("private_networks", "allow");
  if (private_networks != "allow" && private_networks != "deny") {
    fields.complain("private_networks", "expected allow or deny");
  }
  config.addresses = AddressPolicy(private_networks == "allow", std::move(allow), std::move(deny));
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input, const Config& config, bool full) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  read_headers(fields, request);
  if (full) {
    read_method(fields, request);
    read_body(fields, request);
  }
  read_limits(fields, config, request);
  read_form(fields, request);
  const std::string url = fields.text("url");
  if (!fields.status().ok()) return fields.status();
  absl::StatusOr<std::string> made = make_url(url, fields.any("query"));
  if (!made.ok()) return made.status();
  request.url = *std::move(made);
  return request;
}

std::string_view shown_url(std::string_view url) { return url.substr(0, url.find_first_of("?#")); }

}  // namespace fermata::http

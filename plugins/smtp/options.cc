#include "plugins/smtp/options.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "plugins/sdk/fields.h"
#include "services/config/bytes.h"
#include "services/config/sha256.h"
#include "services/config/str_cat.h"

namespace fermata::smtp {
namespace {

constexpr std::size_t kAddressBytesMax = 254;
constexpr std::size_t kSubjectBytesMax = 1000;
constexpr std::size_t kAttachmentsMax = 50;

bool is_one_line(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

// A plain address: no spaces, quotes, angle brackets, commas or anything that ends a command. The
// few addresses that quote such characters cannot be used.
bool is_address(std::string_view text) {
  const std::size_t at = text.find('@');
  constexpr std::string_view kMarks = "!#$%&'*+-/=?^_`{|}~.";
  return text.size() <= kAddressBytesMax && at != 0 && at != std::string_view::npos &&
         at + 1 < text.size() && text.front() != '-' &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at),
                     [&](char c) {
                       return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                              kMarks.find(c) != std::string_view::npos;
                     }) &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) + 1, text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.';
         });
}

std::string check_address(Fields& fields, std::string_view name, std::string address) {
  if (!is_address(address)) {
    fields.complain(
        name, str_cat("'", address.substr(0, 80), "' is not an address such as name@example.org"));
  }
  return address;
}

void check_domain(Fields& fields, std::string_view name, const Config& config,
                  std::string_view address) {
  if (config.allow_domains.empty()) return;
  const std::string_view domain = address.substr(address.find('@') + 1);
  for (const std::string& allowed : config.allow_domains) {
    if (absl::EqualsIgnoreCase(for_absl(domain), allowed)) return;
  }
  fields.complain(name, str_cat("'", domain, "' is not one of the ", config.allow_domains.size(),
                                " domains that plugins.config.smtp.allow_domains lists"));
}

std::vector<std::string> read_addresses(Fields& fields, std::string_view name,
                                        const Config& config) {
  std::vector<std::string> out;
  for (std::string& address : fields.texts(name)) {
    out.push_back(check_address(fields, name, std::move(address)));
    check_domain(fields, name, config, out.back());
  }
  return out;
}

// What becomes part of a header: a line break in it would begin another header.
std::string read_line(Fields& fields, std::string_view name) {
  std::string text = fields.text(name);
  if (!is_one_line(text)) fields.complain(name, "expected one line of text");
  if (text.size() > kSubjectBytesMax) {
    fields.complain(name, str_cat(text.size(), " bytes, the limit is ", kSubjectBytesMax));
  }
  return text;
}

std::size_t read_size(Fields& fields, std::string_view name, std::int64_t least,
                      std::size_t otherwise) {
  const std::int64_t size = fields.integer(name, static_cast<std::int64_t>(otherwise));
  if (size >= least) return static_cast<std::size_t>(size);
  fields.complain(name, str_cat("expected at least ", least, ", got ", size));
  return otherwise;
}

void read_attachments(Fields& fields, Request& request) {
  const JsonValue* attachments = fields.any("attachments");
  if (attachments == nullptr || !attachments->IsArray()) return;
  if (attachments->Size() > kAttachmentsMax) {
    fields.complain("attachments",
                    str_cat(attachments->Size(), " of them, the limit is ", kAttachmentsMax));
  }
  for (const JsonValue& value : attachments->GetArray()) {
    Fields part(value);
    Attachment attachment;
    attachment.name = read_line(part, "name");
    attachment.type = read_line(part, "type");
    if (attachment.type.empty()) attachment.type = "application/octet-stream";
    if (!absl::Base64Unescape(part.text("content_base64"), &attachment.content)) {
      part.complain("content_base64", "expected base64");
    }
    if (!part.status().ok()) {
      return fields.complain("attachments", from_absl(part.status().message()));
    }
    request.attachments.push_back(std::move(attachment));
  }
}

void check_size(Fields& fields, const Config& config, const Request& request) {
  std::uint64_t bytes = request.text.size() + request.html.size();
  for (const Attachment& attachment : request.attachments) bytes += attachment.content.size();
  if (bytes <= config.bytes_max) return;
  fields.complain("text", str_cat("text, html and attachments are ", bytes, " bytes, the limit is ",
                                  format_bytes(config.bytes_max), " (max_bytes)"));
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  config.server = fields.text("server");
  if (!is_one_line(config.server) || config.server.find_first_of("/@?# ") != std::string::npos) {
    fields.complain("server", str_cat("expected host:port, got '", config.server, "'"));
  }
  const std::string tls = fields.text("tls", "starttls");
  config.tls = tls == "none" ? Tls::kNone : tls == "implicit" ? Tls::kImplicit : Tls::kStartTls;
  config.username = fields.text("username");
  config.password = fields.text("password");
  if (config.tls == Tls::kNone && !config.password.empty()) {
    fields.complain("tls", "a password needs it: expected starttls or implicit, got none");
  }
  config.ca_file = fields.text("ca_file");
  config.helo = fields.text("helo");
  if (!is_one_line(config.helo) || config.helo.find_first_of("/ ") != std::string::npos) {
    fields.complain("helo", "expected a name");
  }
  config.from = fields.text("from");
  if (!config.from.empty()) config.from = check_address(fields, "from", config.from);
  config.allow_domains = fields.texts("allow_domains");
  config.recipients_max = fields.integer("max_recipients", config.recipients_max);
  config.bytes_max = fields.bytes("max_bytes", config.bytes_max);
  config.connections_max = read_size(fields, "max_connections", 1, config.connections_max);
  config.waiting_max = read_size(fields, "max_waiting", 0, config.waiting_max);
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input, const Config& config,
                                     std::string_view job_id) {
  if (config.server.empty()) {
    return absl::FailedPreconditionError(
        "smtp: this server knows no mail server; set plugins.config.smtp.server in fermata.yaml");
  }
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  request.from = check_address(fields, "from", fields.text("from", config.from));
  request.from_name = read_line(fields, "from_name");
  request.to = read_addresses(fields, "to", config);
  request.cc = read_addresses(fields, "cc", config);
  request.bcc = read_addresses(fields, "bcc", config);
  const std::size_t recipients = request.to.size() + request.cc.size() + request.bcc.size();
  if (recipients == 0) fields.complain("to", "expected at least one recipient");
  if (recipients > static_cast<std::size_t>(config.recipients_max)) {
    fields.complain("to", str_cat(recipients, " recipients, the limit is ", config.recipients_max,
                                  " (max_recipients)"));
  }
  request.reply_to = fields.text("reply_to");
  if (!request.reply_to.empty()) {
    request.reply_to = check_address(fields, "reply_to", request.reply_to);
  }
  request.subject = read_line(fields, "subject");
  request.text = fields.text("text");
  request.html = fields.text("html");
  read_attachments(fields, request);
  check_size(fields, config, request);
  request.timeout = fields.duration("timeout", request.timeout);
  if (!fields.status().ok()) return fields.status();
  // The input makes it another one when a job sends several.
  request.message_id = str_cat("<", sha256_hex(str_cat(job_id, "\n", input)).substr(0, 40), "@",
                               request.from.substr(request.from.find('@') + 1), ">");
  return request;
}

}  // namespace fermata::smtp

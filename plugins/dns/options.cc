#include "plugins/dns/options.h"

#include <arpa/inet.h>

#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "plugins/sdk/fields.h"
#include "services/config/str_cat.h"

namespace fermata::dns {
namespace {

constexpr std::size_t kNameBytesMax = 253;

constexpr std::pair<std::string_view, RecordType> kTypes[] = {
    {"A", RecordType::kA},     {"AAAA", RecordType::kAaaa}, {"CNAME", RecordType::kCname},
    {"MX", RecordType::kMx},   {"NS", RecordType::kNs},     {"PTR", RecordType::kPtr},
    {"SRV", RecordType::kSrv}, {"TXT", RecordType::kTxt},
};

// 192.0.2.1 is 1.2.0.192.in-addr.arpa, and 2001:db8::1 has its 32 digits backwards.
std::string reverse_name(const std::string& address) {
  std::array<std::uint8_t, 16> bytes{};
  std::string out;
  if (::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) {
    for (std::size_t i = 4; i-- > 0;) str_append(&out, static_cast<int>(bytes[i]), ".");
    return out + "in-addr.arpa";
  }
  if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  for (std::size_t i = 16; i-- > 0;) {
    out += absl::StrFormat("%x.%x.", bytes[i] & 15, bytes[i] >> 4);
  }
  return out + "ip6.arpa";
}

std::size_t read_count(Fields& fields, std::string_view name, std::int64_t least,
                       std::size_t otherwise) {
  const std::int64_t count = fields.integer(name, static_cast<std::int64_t>(otherwise));
  if (count >= least) return static_cast<std::size_t>(count);
  fields.complain(name, str_cat("expected at least ", least, ", got ", count));
  return otherwise;
}

}  // namespace

absl::StatusOr<Config> read_config(std::string_view config_json) {
  const absl::StatusOr<JsonDocument> document = parse_json(config_json);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Config config;
  for (const std::string& server : fields.texts("servers")) {
    if (server.empty() || server.find(',') != std::string::npos) {
      fields.complain("servers",
                      str_cat("expected an address such as 1.1.1.1:53, got '", server, "'"));
    }
    str_append(&config.servers, config.servers.empty() ? "" : ",", server);
  }
  config.try_timeout = fields.duration("try_timeout", config.try_timeout);
  config.tries = static_cast<std::int64_t>(
      read_count(fields, "tries", 1, static_cast<std::size_t>(config.tries)));
  config.queries_max = read_count(fields, "max_queries", 1, config.queries_max);
  config.waiting_max = read_count(fields, "max_waiting", 0, config.waiting_max);
  if (!fields.status().ok()) return fields.status();
  return config;
}

absl::StatusOr<Request> read_request(std::string_view input) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  Request request;
  request.name = fields.text("name");
  request.type_name = fields.text("type", "A");
  bool known = false;
  for (const auto& [name, type] : kTypes) {
    if (request.type_name != name) continue;
    request.type = type;
    known = true;
  }
  if (!known)
    fields.complain("type", str_cat("expected A, AAAA, …, got '", request.type_name, "'"));
  request.asked = request.type == RecordType::kPtr ? reverse_name(request.name) : request.name;
  if (request.name.empty() || request.name.size() > kNameBytesMax ||
      request.name.find('\0') != std::string::npos) {
    fields.complain("name", str_cat("expected 1 to ", kNameBytesMax, " characters, got ",
                                    request.name.size(), ", or a NUL among them"));
  }
  request.timeout = fields.duration("timeout", request.timeout);
  request.expect_any = fields.text("expect", "found") == "any";
  if (!fields.status().ok()) return fields.status();
  return request;
}

}  // namespace fermata::dns

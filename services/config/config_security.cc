#include "services/config/config_security.h"

namespace fermata {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr char kPublic[] =
    "an address that only this machine reaches, since whoever reaches it may run every stage; for "
    "others, give tls.certificate and tls.key together with auth.tokens_file or "
    "tls.require_client_certificate: true, or say allow_insecure_public: true";

// The duration under `key`; 0 is `never`.
absl::Duration or_never(YamlReader& reader, std::string_view key, absl::Duration fallback) {
  if (!reader.has(key)) return fallback;
  const absl::Duration got =
      reader.duration(key, fallback, {absl::ZeroDuration(), absl::Hours(24 * 365)});
  return got == absl::ZeroDuration() ? absl::InfiniteDuration() : got;
}

}  // namespace

void read_tls(YamlReader tls, TlsConfig& out) {
  out.certificate = tls.text("certificate", out.certificate);
  out.key = tls.text("key", out.key);
  out.client_ca = tls.text("client_ca", out.client_ca);
  out.require_client_certificate =
      tls.boolean("require_client_certificate", out.require_client_certificate);
  if (out.certificate.empty() != out.key.empty()) {
    const char* given = out.key.empty() ? "certificate" : "key";
    tls.error(*tls.find(given), given, "certificate and key together");
  }
  if (!out.client_ca.empty() && out.certificate.empty()) {
    tls.error(*tls.find("client_ca"), "client_ca", "a certificate and a key of the server too");
  }
  if (out.require_client_certificate && out.client_ca.empty()) {
    tls.error(*tls.find("require_client_certificate"), "require_client_certificate",
              "client_ca too: the authorities whose certificates are taken");
  }
  tls.finish();
}

void read_auth(YamlReader auth, AuthConfig& out) {
  out.tokens_file = auth.text("tokens_file", out.tokens_file);
  auth.finish();
}

void read_audit(YamlReader audit, AuditConfig& out) {
  out.to = audit.text("to", out.to);
  out.file_bytes = audit.bytes("file_bytes", out.file_bytes, {64 << 10, kMiB << 20});
  out.files = audit.integer("files", out.files, {1, 100});
  audit.finish();
}

void read_connections(YamlReader connections, ConnectionsConfig& out) {
  out.streams = connections.integer("streams", out.streams, {1, 1000000});
  out.handshake = connections.duration("handshake", out.handshake,
                                       {absl::Milliseconds(100), absl::Minutes(10)});
  out.idle = or_never(connections, "idle", out.idle);
  out.age = or_never(connections, "age", out.age);
  connections.finish();
}

bool is_loopback(std::string_view address) {
  if (address.substr(0, 5) == "unix:") return true;
  const std::string_view host = address.substr(0, address.rfind(':'));
  const bool numbers = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "[::1]" || (numbers && host.substr(0, 4) == "127.");
}

void check_public(YamlReader& reader, const Config& config) {
  const bool checked = !config.auth.tokens_file.empty() || config.tls.require_client_certificate;
  const bool secured = checked && !config.tls.certificate.empty();
  if (config.allow_insecure_public || secured || is_loopback(config.listen)) return;
  reader.error(*reader.find("listen"), "listen", kPublic);
}

}  // namespace fermata

#include "services/fermatad/server_options.h"

#include "services/fermatad/log.h"

namespace fermata {

frontend::ServerOptions server_options(const Config& config) {
  frontend::ServerOptions out;
  out.listen = config.listen;
  out.limits.payload = config.limits.payload;
  out.calls.calls = config.limits.calls;
  out.calls.watchers = config.limits.watchers;
  out.calls.principal_calls = config.limits.principal_calls;
  out.calls.principal_watchers = config.limits.principal_watchers;
  out.calls.bytes = config.limits.call_bytes;
  out.connections.streams = static_cast<int>(config.connections.streams);
  out.connections.handshake = config.connections.handshake;
  out.connections.idle = config.connections.idle;
  out.connections.age = config.connections.age;
  out.connections.bytes = config.limits.transport_bytes;
  out.credentials.tls.certificate = config.tls.certificate;
  out.credentials.tls.key = config.tls.key;
  out.credentials.tls.client_ca = config.tls.client_ca;
  out.credentials.tls.require_client_certificate = config.tls.require_client_certificate;
  out.credentials.tokens_file = config.auth.tokens_file;
  out.audit.to = config.audit.to;
  out.audit.file_bytes = config.audit.file_bytes;
  out.audit.files = static_cast<int>(config.audit.files);
  out.secrets = config.secrets;
  out.report = [](bool problem, std::string_view message) {
    problem ? log_warning(message) : log_info(message);
  };
  return out;
}

}  // namespace fermata

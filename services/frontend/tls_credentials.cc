#include "services/frontend/tls_credentials.h"

#include <utility>

#include "grpc/grpc.h"

namespace fermata::frontend {
namespace {

grpc_ssl_client_certificate_request_type request_of(const TlsPaths& paths) {
  if (paths.client_ca.empty()) return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
  return paths.require_client_certificate
             ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
             : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
}

}  // namespace

TlsCredentials::TlsCredentials(TlsMaterial material, const TlsPaths& paths)
    : material_(std::make_shared<const TlsMaterial>(std::move(material))),
      credentials_(grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(
              request_of(paths), &TlsCredentials::fetch, this))) {}

TlsCredentials::~TlsCredentials() { grpc_server_credentials_release(credentials_); }

void TlsCredentials::replace(TlsMaterial material) {
  auto next = std::make_shared<const TlsMaterial>(std::move(material));
  const std::scoped_lock lock(mutex_);
  material_ = std::move(next);
  fetched_ = false;
}

grpc_ssl_certificate_config_reload_status TlsCredentials::fetch(
    void* self, grpc_ssl_server_certificate_config** config) {
  auto& credentials = *static_cast<TlsCredentials*>(self);
  std::shared_ptr<const TlsMaterial> material;
  {
    const std::scoped_lock lock(credentials.mutex_);
    if (std::exchange(credentials.fetched_, true)) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    material = credentials.material_;
  }
  const grpc_ssl_pem_key_cert_pair pair = {material->key.c_str(), material->chain.c_str()};
  // gRPC insists on some authorities, also where no client is asked for a certificate.
  const std::string& authorities =
      material->client_ca.empty() ? material->chain : material->client_ca;
  *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

int TlsCredentials::AddPortToServer(const std::string& address, grpc_server* server) {
  return grpc_server_add_http2_port(server, address.c_str(), credentials_);
}

}  // namespace fermata::frontend

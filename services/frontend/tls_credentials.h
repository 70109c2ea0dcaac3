// TlsCredentials: gRPC's server credentials whose certificate can be exchanged while it serves.
//
// gRPC asks for the certificate at each handshake (its certificate config fetcher, which the C++
// API does not offer, hence the C one below); connections that exist keep what they began with.
// Only material that load_tls() has checked gets here, so a bad file on disk never breaks
// handshakes.
//
// replace() may be called from any thread; gRPC fetches on its own. A mutex guards the one pointer
// that both touch, for the time of a copy of it: handshakes cost a thousand times more.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "grpc/grpc_security.h"
#include "grpcpp/security/server_credentials.h"
#include "services/frontend/tls_files.h"

namespace fermata::frontend {

class TlsCredentials final : public grpc::ServerCredentials {
 public:
  TlsCredentials(TlsMaterial material, const TlsPaths& paths);
  ~TlsCredentials() override;

  void replace(TlsMaterial material);

 private:
  static grpc_ssl_certificate_config_reload_status fetch(
      void* self, grpc_ssl_server_certificate_config** config);

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}
  int AddPortToServer(const std::string& address, grpc_server* server) override;

  std::mutex mutex_;
  std::shared_ptr<const TlsMaterial> material_;  // guarded by mutex_
  bool fetched_ = false;                         // guarded by mutex_
  grpc_server_credentials* credentials_;
};

}  // namespace fermata::frontend

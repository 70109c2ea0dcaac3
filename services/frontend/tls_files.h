// The server's certificate, key and client authorities: read, and checked before gRPC sees them.
//
// gRPC takes a key that does not fit its certificate and then fails every handshake; here such
// files are an error that names the file and the reason, at start and at each change. Blocking
// reads of small files; any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::frontend {

struct TlsPaths {
  std::string certificate;  // PEM, the chain, the server's own first; "": no TLS
  std::string key;          // PEM, not encrypted; others may not read it
  std::string client_ca;    // PEM; "": clients are not asked for certificates
  bool require_client_certificate = false;
};

struct TlsMaterial {
  std::string chain;
  std::string key;
  std::string client_ca;
  absl::Time expires;  // of the server's own certificate
};

// Refuses a certificate whose time is over at `now`, too.
absl::StatusOr<TlsMaterial> load_tls(const TlsPaths& paths, absl::Time now);

}  // namespace fermata::frontend

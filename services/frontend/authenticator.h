// Authenticator: who makes a call, from its bearer token or its client certificate.
//
//   authorization: Bearer fermata_<id>_<secret>     a token, if there is one, decides alone
//   the client's certificate, verified by TLS       its SANs, then its common name
//
// Without a tokens file nobody is asked, and whoever can connect may do everything.
//
// authenticate() runs on gRPC's threads, replace() on any; a mutex guards the pointer to the policy
// for the time of a copy of it. A policy is never changed once it is there. Who has begun a call
// under an old policy ends it under the old one.
#pragma once

#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "services/frontend/access_policy.h"

namespace fermata::frontend {

// Null: nobody was asked.
using Caller = std::shared_ptr<const Principal>;

class Authenticator {
 public:
  // Null: nobody is asked.
  explicit Authenticator(std::shared_ptr<const AccessPolicy> policy) : policy_(std::move(policy)) {}

  // UNAUTHENTICATED with the reasons of access_errors.h.
  absl::StatusOr<Caller> authenticate(const grpc::ServerContextBase& context);

  // For the calls that begin from now on.
  void replace(std::shared_ptr<const AccessPolicy> policy);

 private:
  std::shared_ptr<const AccessPolicy> policy();

  std::mutex mutex_;
  std::shared_ptr<const AccessPolicy> policy_;  // guarded by mutex_
};

}  // namespace fermata::frontend

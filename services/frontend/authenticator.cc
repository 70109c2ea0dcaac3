#include "services/frontend/authenticator.h"

#include <string_view>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "grpcpp/security/auth_context.h"
#include "services/config/str_cat.h"
#include "services/frontend/access_errors.h"

namespace fermata::frontend {
namespace {

constexpr std::string_view kBearer = "Bearer ";

std::string_view view(grpc::string_ref text) { return {text.data(), text.size()}; }

// By the certificate, which gRPC has verified; null without one, or when nobody has its names.
Caller by_certificate(const AccessPolicy& policy, const grpc::ServerContextBase& context) {
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return nullptr;
  for (const grpc::string_ref& name : peer->FindPropertyValues("x509_subject_alternative_name")) {
    if (Caller found = policy.find_san(view(name)); found != nullptr) return found;
  }
  for (const grpc::string_ref& name : peer->FindPropertyValues("x509_common_name")) {
    if (Caller found = policy.find_cn(view(name)); found != nullptr) return found;
  }
  return nullptr;
}

absl::StatusOr<Caller> unexpired(Caller caller) {
  if (absl::Now() < caller->expires) return caller;
  return credentials_expired(*caller);
}

}  // namespace

absl::StatusOr<Caller> Authenticator::authenticate(const grpc::ServerContextBase& context) {
  const std::shared_ptr<const AccessPolicy> policy = this->policy();
  if (policy == nullptr) return Caller();
  const auto [first, last] = context.client_metadata().equal_range("authorization");
  if (first == last) {
    Caller caller = by_certificate(*policy, context);
    if (caller == nullptr) return credentials_missing();
    return unexpired(std::move(caller));
  }
  const std::string_view header = view(first->second);
  const bool bearer = absl::StartsWithIgnoreCase(for_absl(header), for_absl(kBearer));
  if (!bearer || std::next(first) != last) return credentials_invalid();
  Caller caller = policy->find_token(header.substr(kBearer.size()));
  if (caller == nullptr) return credentials_invalid();
  return unexpired(std::move(caller));
}

void Authenticator::replace(std::shared_ptr<const AccessPolicy> policy) {
  const std::scoped_lock lock(mutex_);
  policy_ = std::move(policy);
}

std::shared_ptr<const AccessPolicy> Authenticator::policy() {
  const std::scoped_lock lock(mutex_);
  return policy_;
}

}  // namespace fermata::frontend

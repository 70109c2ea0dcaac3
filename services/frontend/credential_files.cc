#include "services/frontend/credential_files.h"

#include <sys/stat.h>

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "services/config/str_cat.h"

namespace fermata::frontend {

CredentialFiles::Stamp CredentialFiles::stamp_of(const std::string& path) {
  struct stat found = {};
  if (path.empty() || ::stat(path.c_str(), &found) != 0) return {};
  return {static_cast<int64_t>(found.st_ino), static_cast<int64_t>(found.st_size),
          found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

CredentialFiles::Stamps CredentialFiles::stamps_of(const CredentialOptions& options) {
  return {{stamp_of(options.tls.certificate), stamp_of(options.tls.key),
           stamp_of(options.tls.client_ca)},
          stamp_of(options.tokens_file)};
}

absl::StatusOr<std::unique_ptr<CredentialFiles>> CredentialFiles::open(
    const CredentialOptions& options) {
  std::unique_ptr<CredentialFiles> files(new CredentialFiles(options));
  // Before they are read: a change meanwhile is then read again, instead of being missed.
  files->stamps_ = stamps_of(options);
  if (!options.tls.certificate.empty()) {
    absl::StatusOr<TlsMaterial> material = load_tls(options.tls, absl::Now());
    if (!material.ok()) return material.status();
    files->tls_ = std::make_shared<TlsCredentials>(*std::move(material), options.tls);
  }
  if (!options.tokens_file.empty()) {
    absl::StatusOr<std::shared_ptr<const AccessPolicy>> policy =
        AccessPolicy::load(options.tokens_file);
    if (!policy.ok()) return policy.status();
    files->policy_ = *std::move(policy);
  }
  return files;
}

std::shared_ptr<grpc::ServerCredentials> CredentialFiles::credentials() const {
  if (tls_ == nullptr) return grpc::InsecureServerCredentials();
  return tls_;
}

CredentialFiles::Reloaded CredentialFiles::look(const CredentialOptions* options, Stamps before) {
  Reloaded out;
  out.stamps = stamps_of(*options);
  if (out.stamps.tls != before.tls) out.tls = load_tls(options->tls, absl::Now());
  if (out.stamps.tokens != before.tokens) out.policy = AccessPolicy::load(options->tokens_file);
  return out;
}

Co<void> CredentialFiles::keep_fresh(CredentialFiles& files, Authenticator& authenticator,
                                     const Report& report) {
  while (true) {
    co_await sleep(kPeriod);
    Reloaded reloaded =
        co_await offload(&CredentialFiles::look, &files.options_, Stamps(files.stamps_));
    files.take(std::move(reloaded), authenticator, report);
  }
}

void CredentialFiles::take(Reloaded reloaded, Authenticator& authenticator, const Report& report) {
  stamps_ = reloaded.stamps;
  if (reloaded.tls.has_value() && tls_ != nullptr) {
    absl::StatusOr<TlsMaterial>& material = *reloaded.tls;
    if (material.ok()) {
      report(false,
             str_cat("tls: a new certificate, valid until ", absl::FormatTime(material->expires)));
      tls_->replace(*std::move(material));
    } else {
      report(true, str_cat("tls: the old certificate stays in force: ",
                           from_absl(material.status().message())));
    }
  }
  if (reloaded.policy.has_value() && policy_ != nullptr) {
    absl::StatusOr<std::shared_ptr<const AccessPolicy>>& policy = *reloaded.policy;
    if (policy.ok()) {
      policy_ = *std::move(policy);
      report(false, str_cat("auth: tokens and certificates of ", policy_->size(), " callers"));
      authenticator.replace(policy_);
    } else {
      report(true,
             str_cat("auth: the old tokens stay in force: ", from_absl(policy.status().message())));
    }
  }
}

}  // namespace fermata::frontend

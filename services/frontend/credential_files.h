// CredentialFiles: the files that say who the server is and who may call it. Loaded at start, where
// any mistake is an error; looked at again every kPeriod, where a mistake leaves what was there in
// force, and is reported once.
//
// A certificate and its key are two files and change one after the other: until they fit, the old
// pair serves. Symbolic links are followed, so a directory that is exchanged as a whole, as
// Kubernetes does with secrets, is noticed too.
//
// open() on any thread, keep_fresh() on the loop; files are read on the pool.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/async.h"
#include "services/frontend/access_policy.h"
#include "services/frontend/authenticator.h"
#include "services/frontend/tls_credentials.h"
#include "services/frontend/tls_files.h"

namespace fermata::frontend {

// What an operator should hear of; `problem`: something is wrong. Loop thread.
using Report = std::function<void(bool problem, std::string_view message)>;

struct CredentialOptions {
  TlsPaths tls;             // no certificate: plain text
  std::string tokens_file;  // "": nobody is asked who they are
};

class CredentialFiles {
 public:
  static constexpr absl::Duration kPeriod = absl::Seconds(1);

  static absl::StatusOr<std::unique_ptr<CredentialFiles>> open(const CredentialOptions& options);

  // For the server; lives as long as this.
  std::shared_ptr<grpc::ServerCredentials> credentials() const;
  std::shared_ptr<const AccessPolicy> policy() const { return policy_; }
  bool watches_anything() const { return tls_ != nullptr || policy_ != nullptr; }

  // Until it is cancelled.
  //   on cancel    at once, or when the files that are being read have been
  static Co<void> keep_fresh(CredentialFiles& files, Authenticator& authenticator,
                             const Report& report);

 private:
  // What the file system says of a file; a file that changed has another one.
  using Stamp = std::array<int64_t, 4>;
  struct Stamps {
    std::array<Stamp, 3> tls;
    Stamp tokens;
  };
  struct Reloaded {
    Stamps stamps;
    std::optional<absl::StatusOr<TlsMaterial>> tls;
    std::optional<absl::StatusOr<std::shared_ptr<const AccessPolicy>>> policy;
  };

  explicit CredentialFiles(const CredentialOptions& options) : options_(options) {}
  static Stamp stamp_of(const std::string& path);
  static Stamps stamps_of(const CredentialOptions& options);
  static Reloaded look(const CredentialOptions* options, Stamps before);
  void take(Reloaded reloaded, Authenticator& authenticator, const Report& report);

  const CredentialOptions options_;
  Stamps stamps_{};  // of what was loaded, or refused, last
  std::shared_ptr<TlsCredentials> tls_;
  std::shared_ptr<const AccessPolicy> policy_;
};

}  // namespace fermata::frontend

#include "services/cli/connect.h"

#include <utility>
#include <vector>

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/client_interceptor.h"
#include "services/cli/cat.h"
#include "services/config/config_security.h"
#include "services/config/private_file.h"

namespace fermata::cli {
namespace {

using grpc::experimental::InterceptionHookPoints;

// Adds the token to every call. gRPC's own call credentials refuse to work without TLS, and a
// server on a Unix socket has none.
class AddToken final : public grpc::experimental::Interceptor {
 public:
  explicit AddToken(const std::string& header) : header_(header) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", header_);
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;
};

class AddTokens final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit AddTokens(const std::string& token) : header_("Bearer " + token) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new AddToken(header_);
  }

 private:
  const std::string header_;
};

absl::StatusOr<std::string> token_of(const ConnectionOptions& options) {
  if (options.token_file.empty()) return options.token;
  absl::StatusOr<std::string> token = read_private_file(options.token_file, FilePrivacy::kSecret);
  while (token.ok() && !token->empty() && (token->back() == '\n' || token->back() == '\r')) {
    token->pop_back();
  }
  return token;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials_of(
    const ConnectionOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  const auto read = [](const std::string& path, FilePrivacy privacy, std::string* out) {
    if (path.empty()) return absl::OkStatus();
    absl::StatusOr<std::string> text = read_private_file(path, privacy);
    if (text.ok()) *out = *std::move(text);
    return text.status();
  };
  absl::Status status = read(options.tls_ca, FilePrivacy::kTrusted, &ssl.pem_root_certs);
  if (status.ok()) status = read(options.tls_cert, FilePrivacy::kTrusted, &ssl.pem_cert_chain);
  if (status.ok()) status = read(options.tls_key, FilePrivacy::kSecret, &ssl.pem_private_key);
  if (!status.ok()) return status;
  return grpc::SslCredentials(ssl);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> connect(const std::string& address,
                                                       const ConnectionOptions& options) {
  const absl::StatusOr<std::string> token = token_of(options);
  if (!token.ok()) return token.status();
  if (!token->empty() && !options.tls && !is_loopback(address)) {
    return absl::InvalidArgumentError(
        cat("a token for ", address,
            " would travel where others can read it: give --tls, or --tls-ca FILE"));
  }
  const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      credentials_of(options);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (!token->empty()) interceptors.push_back(std::make_unique<AddTokens>(*token));
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, *credentials, arguments,
                                                                 std::move(interceptors));
}

}  // namespace fermata::cli

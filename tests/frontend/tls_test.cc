// TLS: who is let in, who they are taken for, and certificates that change while it serves.
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/frontend/access_test_server.h"
#include "tests/frontend/test_certificates.h"

namespace fermata::frontend {
namespace {

using grpc::StatusCode;

constexpr char kServerNames[] = "IP:127.0.0.1,DNS:localhost";

class Tls : public testing::Test {
 protected:
  Tls() { write_server(authority_.issue("server", kServerNames)); }

  void write_server(const PemPair& pair) {
    folder_.write("server.pem", pair.certificate, 0644);
    folder_.write("server.key", pair.key, 0600);
  }
  CredentialOptions credentials(bool mutual = false) {
    CredentialOptions out;
    out.tls.certificate = folder_.path("server.pem");
    out.tls.key = folder_.path("server.key");
    if (!mutual) return out;
    folder_.write("clients.pem", clients_.certificate(), 0644);
    out.tls.client_ca = folder_.path("clients.pem");
    out.tls.require_client_certificate = true;
    return out;
  }
  TestServer& start(const CredentialOptions& credentials) {
    ServerOptions options;
    options.credentials = credentials;
    options.report = [this](bool problem, std::string_view message) {
      (problem ? problems_ : news_).emplace_back(message);
    };
    return server_.emplace(EngineLimits(), options);
  }

  std::shared_ptr<grpc::ChannelCredentials> client(const TestAuthority& trusted,
                                                   const PemPair& own = {}) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = trusted.certificate();
    options.pem_cert_chain = own.certificate;
    options.pem_private_key = own.key;
    return grpc::SslCredentials(options);
  }
  grpc::Status list(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    const auto stub = v1::Jobs::NewStub(server_->new_channel(credentials));
    grpc::ClientContext context;
    v1::ListJobsResponse page;
    return stub->List(&context, v1::ListJobsRequest(), &page);
  }

  const TestAuthority authority_{"authority"};
  const TestAuthority clients_{"authority of clients"};
  AccessFolder folder_;
  std::vector<std::string> problems_;  // the loop's thread
  std::vector<std::string> news_;      // the loop's thread
  std::optional<TestServer> server_;
};

TEST_F(Tls, AClientThatTrustsTheAuthorityIsServed) {
  start(credentials());
  const grpc::Status status = list(client(authority_));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(Tls, PlainTextAndStrangersAuthoritiesGetNowhere) {
  start(credentials());
  EXPECT_EQ(list(nullptr).error_code(), StatusCode::UNAVAILABLE);
  const TestAuthority other("other");
  EXPECT_EQ(list(client(other)).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_TRUE(list(client(authority_)).ok());
}

TEST_F(Tls, ARequiredClientCertificateIsRequired) {
  start(credentials(true));
  EXPECT_EQ(list(client(authority_)).error_code(), StatusCode::UNAVAILABLE);
  const PemPair forged = authority_.issue("client", "");
  EXPECT_EQ(list(client(authority_, forged)).error_code(), StatusCode::UNAVAILABLE);
  const PemPair own = clients_.issue("client", "");
  const grpc::Status status = list(client(authority_, own));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(Tls, ACertificatesNameIsAPrincipal) {
  folder_.write("tokens.yaml", R"(
certificates:
  - { san: "spiffe://x/ingest", principal: ingest, grants: [{ allow: [read], queues: ["*"] }] }
  - { cn: cataloguer, principal: cataloguer, grants: [{ allow: [catalog] }] }
)");
  CredentialOptions options = credentials(true);
  options.tokens_file = folder_.path("tokens.yaml");
  start(options);
  const auto as = [&](const std::string& cn, const std::string& san) {
    return list(client(authority_, clients_.issue(cn, san)));
  };
  EXPECT_TRUE(as("whoever", "DNS:a.example,URI:spiffe://x/ingest").ok());
  expect_error(as("cataloguer", ""), StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  expect_error(as("spiffe://x/ingest", ""), StatusCode::UNAUTHENTICATED, "CREDENTIALS_MISSING");
  expect_error(as("stranger", "URI:spiffe://x/other"), StatusCode::UNAUTHENTICATED,
               "CREDENTIALS_MISSING");
}

TEST_F(Tls, ANewCertificateServesNewConnectionsAndOldOnesGoOn) {
  TestServer& server = start(credentials());
  const auto before = v1::Jobs::NewStub(server.new_channel(client(authority_)));
  v1::ListJobsResponse page;
  grpc::ClientContext first;
  ASSERT_TRUE(before->List(&first, v1::ListJobsRequest(), &page).ok());
  const TestAuthority next("next authority");
  // The certificate, and its key a while later: between them they do not fit.
  const PemPair pair = next.issue("server", kServerNames);
  folder_.write("server.pem", pair.certificate, 0644);
  server.wait_until([&] { return problems_.size() == 1; });
  EXPECT_TRUE(list(client(authority_)).ok());
  folder_.write("server.key", pair.key, 0600);
  server.wait_until([&] { return news_.size() == 1; });
  EXPECT_TRUE(list(client(next)).ok());
  EXPECT_EQ(list(client(authority_)).error_code(), StatusCode::UNAVAILABLE);
  grpc::ClientContext second;
  EXPECT_TRUE(before->List(&second, v1::ListJobsRequest(), &page).ok());
  EXPECT_NE(problems_[0].find(folder_.path("server.key")), std::string::npos) << problems_[0];
}

TEST_F(Tls, AFileThatTurnsIntoRubbishLeavesTheOldCertificateInForce) {
  TestServer& server = start(credentials(true));
  const PemPair own = clients_.issue("client", "");
  folder_.write("clients.pem", "rubbish", 0644);
  server.wait_until([&] { return problems_.size() == 1; });
  EXPECT_TRUE(list(client(authority_, own)).ok());
  EXPECT_NE(problems_[0].find("clients.pem"), std::string::npos) << problems_[0];
}

TEST_F(Tls, MistakesAreNamedWithFileAndReason) {
  const auto why = [&](TlsPaths paths) {
    return std::string(load_tls(paths, absl::Now()).status().message());
  };
  const TlsPaths good = credentials(true).tls;
  EXPECT_EQ(why(good), "");
  TlsPaths bad = good;
  bad.key = folder_.path("nowhere.key");
  EXPECT_NE(why(bad).find("nowhere.key: expected a file that can be read, got: No such file"),
            std::string::npos);
  folder_.write("open.key", authority_.issue("x", "").key, 0644);
  bad.key = folder_.path("open.key");
  EXPECT_NE(why(bad).find("open.key: expected a file that others cannot read"), std::string::npos);
  EXPECT_NE(why(bad).find("0644"), std::string::npos);
  folder_.write("other.key", authority_.issue("x", "").key);
  bad.key = folder_.path("other.key");
  EXPECT_NE(why(bad).find("other.key: expected the key of the first certificate in"),
            std::string::npos);
  folder_.write("rubbish.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  bad.key = folder_.path("rubbish.key");
  EXPECT_NE(why(bad).find("rubbish.key: expected a private key in PEM"), std::string::npos);
  EXPECT_EQ(why(bad).find("AAAA"), std::string::npos);
  bad = good;
  bad.certificate = folder_.path("server.key");
  EXPECT_NE(why(bad).find("server.key: expected certificates in PEM, got none"), std::string::npos);
  const PemPair over = authority_.issue("server", kServerNames, -absl::Minutes(1));
  write_server(over);
  EXPECT_NE(why(good).find("server.pem: expected a certificate that is valid now, got one that "
                           "expired at"),
            std::string::npos);
}

}  // namespace
}  // namespace fermata::frontend

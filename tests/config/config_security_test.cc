// The sections of fermata.yaml that say who may call.
#include "services/config/config_security.h"

#include "gtest/gtest.h"

namespace fermata {
namespace {

std::string error(const std::string& text) {
  return std::string(parse_config(text, "f.yaml").status().message());
}

constexpr char kTls[] = "tls: { certificate: /c, key: /k }\n";
constexpr char kTokens[] = "auth: { tokens_file: /t }\n";

TEST(PublicAddress, IsRefusedWithoutBothEncryptionAndACheckOfWhoCalls) {
  const std::string open = "listen: 0.0.0.0:7450\n";
  for (const std::string& text :
       {open, open + kTls, open + kTokens, std::string("listen: example.org:1\n"),
        std::string("listen: '[::]:1'\n"), std::string("listen: 10.0.0.1:1\n"),
        open + "tls: { certificate: /c, key: /k, client_ca: /a }\n"}) {
    const std::string why = error(text);
    EXPECT_NE(why.find("f.yaml:1:9: listen, expected an address that only this machine reaches"),
              std::string::npos)
        << text << why;
    EXPECT_NE(why.find("allow_insecure_public: true"), std::string::npos) << why;
  }
  EXPECT_EQ(error(open + kTls + kTokens), "");
  EXPECT_EQ(error(open + "tls: { certificate: /c, key: /k, client_ca: /a, "
                         "require_client_certificate: true }\n"),
            "");
  EXPECT_EQ(error(open + "allow_insecure_public: true\n"), "");
}

TEST(PublicAddress, LoopbackAndUnixSocketsAreNone) {
  for (const char* address :
       {"127.0.0.1:1", "127.1.2.3:1", "localhost:1", "'[::1]:1'", "unix:/run/f.sock"}) {
    EXPECT_EQ(error(std::string("listen: ") + address + "\n"), "") << address;
  }
  EXPECT_FALSE(is_loopback("127.example.org.evil:1"));
  EXPECT_FALSE(is_loopback("localhost.example.org:1"));
}

TEST(Tls, HalfOfItIsAMistake) {
  EXPECT_NE(error("tls: { certificate: /c }\n").find("certificate and key together"),
            std::string::npos);
  EXPECT_NE(error("tls: { key: /k }\n").find("certificate and key together"), std::string::npos);
  EXPECT_NE(error("tls: { client_ca: /a }\n").find("of the server too"), std::string::npos);
  EXPECT_NE(error("tls: { certificate: /c, key: /k, require_client_certificate: true }\n")
                .find("client_ca too"),
            std::string::npos);
}

TEST(Security, ReadsEveryKey) {
  const auto config = parse_config(R"(
tls: { certificate: /c, key: /k, client_ca: /a, require_client_certificate: true }
auth: { tokens_file: /t }
audit: { to: /var/log/audit.log, file_bytes: 1MiB, files: 9 }
connections: { streams: 7, handshake: 3s, idle: 0s, age: 1h }
limits: { calls: 8, watchers: 9, call_bytes: 2MiB, transport_bytes: 3MiB }
allow_insecure_public: true
)",
                                   "f.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->tls.client_ca, "/a");
  EXPECT_TRUE(config->tls.require_client_certificate);
  EXPECT_EQ(config->auth.tokens_file, "/t");
  EXPECT_EQ(config->audit.to, "/var/log/audit.log");
  EXPECT_EQ(config->audit.file_bytes, 1u << 20);
  EXPECT_EQ(config->audit.files, 9);
  EXPECT_EQ(config->connections.streams, 7);
  EXPECT_EQ(config->connections.handshake, absl::Seconds(3));
  EXPECT_EQ(config->connections.idle, absl::InfiniteDuration());
  EXPECT_EQ(config->connections.age, absl::Hours(1));
  EXPECT_EQ(config->limits.calls, 8);
  EXPECT_EQ(config->limits.watchers, 9);
  EXPECT_EQ(config->limits.call_bytes, 2u << 20);
  EXPECT_EQ(config->limits.transport_bytes, 3u << 20);
  EXPECT_TRUE(config->allow_insecure_public);
}

}  // namespace
}  // namespace fermata

// The tokens file: what is found in it, and what is said of mistakes.
#include "services/frontend/access_policy.h"

#include <sys/stat.h>

#include <fstream>

#include "gtest/gtest.h"
#include "services/config/sha256.h"
#include "services/config/str_cat.h"

namespace fermata::frontend {
namespace {

std::string entry(const NewToken& token, const std::string& more = "") {
  return str_cat("  - id: ", token.id, "\n    sha256: ", token.sha256,
                 "\n    principal: team-a\n    grants: [{ allow: [submit], queues: [a] }]\n", more);
}

std::string error(const std::string& text) {
  return std::string(AccessPolicy::parse(text, "t.yaml").status().message());
}

TEST(Token, IsLongEnoughAndEachIsNew) {
  const NewToken a = *make_token();
  const NewToken b = *make_token();
  EXPECT_EQ(a.token.size(), 8u + 16 + 1 + 64);
  EXPECT_NE(a.token, b.token);
  EXPECT_NE(a.id, b.id);
  EXPECT_EQ(token_id(a.token), a.id);
  EXPECT_EQ(a.sha256, sha256_hex(a.token));
  EXPECT_EQ(a.sha256.find(a.token.substr(30)), std::string::npos);
}

TEST(AccessPolicy, FindsATokenByItsWholeText) {
  const NewToken token = *make_token();
  const auto policy = AccessPolicy::parse("tokens:\n" + entry(token), "t.yaml");
  ASSERT_TRUE(policy.ok()) << policy.status();
  const auto found = (*policy)->find_token(token.token);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "team-a");
  EXPECT_EQ(found->credential, "token " + token.id);
  EXPECT_TRUE(found->may(Permission::kSubmit, "a"));
}

TEST(AccessPolicy, ATokenThatIsAlmostRightIsNobody) {
  const NewToken token = *make_token();
  const auto policy = *AccessPolicy::parse("tokens:\n" + entry(token), "t.yaml");
  for (size_t i = 0; i < token.token.size(); ++i) {
    std::string wrong = token.token;
    wrong[i] = wrong[i] == '0' ? '1' : '0';
    EXPECT_EQ(policy->find_token(wrong), nullptr) << i;
  }
  for (const std::string& wrong :
       {std::string(), token.id, token.sha256, token.token + "0", token.token.substr(1),
        std::string("fermata__"), std::string(1 << 20, 'f')}) {
    EXPECT_EQ(policy->find_token(wrong), nullptr);
  }
}

TEST(AccessPolicy, FindsCertificatesByOneOfTheirNames) {
  const auto policy = *AccessPolicy::parse(R"(
certificates:
  - { san: "spiffe://x/ingest", principal: ingest, grants: [{ allow: [read], queues: ["*"] }] }
  - { cn: ops, principal: ops, expires: 2020-01-01T00:00:00Z, grants: [{ allow: [admin] }] }
)",
                                           "t.yaml");
  EXPECT_EQ(policy->find_san("spiffe://x/ingest")->name, "ingest");
  EXPECT_EQ(policy->find_san("ops"), nullptr);  // a SAN is no common name
  EXPECT_EQ(policy->find_cn("ops")->expires, absl::FromUnixSeconds(1577836800));
  EXPECT_EQ(policy->find_cn("spiffe://x/ingest"), nullptr);
}

TEST(AccessPolicy, MistakesNameTheirPlaceAndNeverTheHash) {
  const NewToken token = *make_token();
  const std::string good = entry(token);
  EXPECT_EQ(error("tokens:\n" + good), "");
  EXPECT_NE(error("token: []\n").find("t.yaml:1:1: unknown key 'token', did you mean 'tokens'"),
            std::string::npos);
  const std::string twice = error("tokens:\n" + good + good);
  EXPECT_NE(twice.find("twice"), std::string::npos) << twice;
  const std::string cut =
      error(str_cat("tokens:\n  - id: ", token.id, "\n    sha256: ", token.sha256.substr(1),
                    "\n    principal: a\n"));
  EXPECT_NE(cut.find("t.yaml:2:5: "), std::string::npos) << cut;
  EXPECT_EQ(cut.find(token.sha256.substr(1, 12)), std::string::npos) << cut;
  const auto with = [&](const std::string& grants) {
    return error(str_cat("tokens:\n  - id: ", token.id, "\n    sha256: ", token.sha256,
                         "\n    principal: a\n    grants: [", grants, "]\n"));
  };
  EXPECT_NE(with("{ allow: [fly], queues: [a] }").find("words of submit, read"), std::string::npos);
  EXPECT_NE(with("{ allow: [none], queues: [a] }").find("words of submit"), std::string::npos);
  EXPECT_NE(with("{ allow: [read] }").find("queues, expected globs"), std::string::npos);
  EXPECT_NE(with("{ queues: [a] }").find("at least one word"), std::string::npos);
  EXPECT_EQ(with("{ allow: [catalog, admin] }"), "");
  EXPECT_NE(error("certificates: [{ principal: a }]\n").find("one of san and cn"),
            std::string::npos);
  EXPECT_NE(error("certificates: [{ cn: a, principal: a, expires: soon }]\n").find("a time as in"),
            std::string::npos);
}

TEST(AccessPolicy, AFileThatOthersMayWriteIsRefused) {
  const std::string path = testing::TempDir() + "/tokens.yaml";
  std::ofstream(path) << "tokens:\n" << entry(*make_token());
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_TRUE(AccessPolicy::load(path).ok()) << AccessPolicy::load(path).status();
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  const std::string why(AccessPolicy::load(path).status().message());
  EXPECT_NE(why.find(path), std::string::npos) << why;
  EXPECT_NE(why.find("0666"), std::string::npos) << why;
}

}  // namespace
}  // namespace fermata::frontend

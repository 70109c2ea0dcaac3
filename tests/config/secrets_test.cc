// Secrets by reference: where they come from, and that nothing shows them.
#include "services/config/secrets.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "services/config/config.h"
#include "services/config/redactor.h"

namespace fermata {
namespace {

constexpr char kSecret[] = "s3cr3t-of-the-house";

std::string write(const std::string& name, const std::string& text, mode_t mode = 0400) {
  const std::string path = testing::TempDir() + "/" + name;
  ::unlink(path.c_str());
  std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  return path;
}

std::string plugin_config(const std::string& value) {
  absl::StatusOr<Config> config =
      parse_config("plugins: { config: { p: { v: " + value + " } } }\n", "f.yaml");
  if (!config.ok()) return std::string(config.status().message());
  return config->plugins.config.at("p");
}

TEST(Secrets, AFileWithoutItsLastLineEnd) {
  for (const char* end : {"", "\n", "\r\n"}) {
    const std::string path = write("secret", std::string(kSecret) + end);
    EXPECT_EQ(plugin_config("\"${file:" + path + "}\""), R"({"v":"s3cr3t-of-the-house"})");
  }
  const std::string path = write("secret", "two\n\n");
  EXPECT_EQ(plugin_config("\"${file:" + path + "}\""), R"({"v":"two\n"})");
}

TEST(Secrets, AnEnvironmentVariableInsideAText) {
  ::setenv("FERMATA_TEST_SECRET", kSecret, 1);
  EXPECT_EQ(plugin_config("\"Bearer ${env:FERMATA_TEST_SECRET}!\""),
            R"({"v":"Bearer s3cr3t-of-the-house!"})");
  EXPECT_EQ(plugin_config("[a, \"${env:FERMATA_TEST_SECRET}\"]"),
            R"({"v":["a","s3cr3t-of-the-house"]})");
}

TEST(Secrets, WhatComesOutIsTextAndIsNotLookedAtAgain) {
  ::setenv("FERMATA_TEST_SECRET", "42", 1);
  EXPECT_EQ(plugin_config("\"${env:FERMATA_TEST_SECRET}\""), R"({"v":"42"})");
  ::setenv("FERMATA_TEST_SECRET", "${env:HOME}", 1);
  EXPECT_EQ(plugin_config("\"${env:FERMATA_TEST_SECRET}\""), R"({"v":"${env:HOME}"})");
}

TEST(Secrets, OtherDollarsAreLeftAloneAndTwoAreOne) {
  EXPECT_EQ(plugin_config("\"${/input/a} $5 ${HOME}\""), R"({"v":"${/input/a} $5 ${HOME}"})");
  EXPECT_EQ(plugin_config("\"$${file:/x} $${env:Y}\""), R"({"v":"${file:/x} ${env:Y}"})");
}

TEST(Secrets, AnyTextOfTheFileMayBeOne) {
  ::setenv("FERMATA_TEST_SECRET", "127.0.0.1:1", 1);
  const auto config = parse_config("listen: \"${env:FERMATA_TEST_SECRET}\"\n", "f.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen, "127.0.0.1:1");
  EXPECT_EQ(config->secrets, std::vector<std::string>{"127.0.0.1:1"});
}

TEST(Secrets, WhatCannotBeHadIsNamedWithItsPlace) {
  ::unsetenv("FERMATA_TEST_NONE");
  EXPECT_EQ(plugin_config("\"${env:FERMATA_TEST_NONE}\""),
            "f.yaml:1:30: expected an environment variable 'FERMATA_TEST_NONE' that is set, got "
            "none");
  EXPECT_NE(plugin_config("\"${file:/nowhere}\"").find("f.yaml:1:30: /nowhere: expected a file"),
            std::string::npos);
  EXPECT_NE(plugin_config("\"${file:relative}\"").find("a path from the root"), std::string::npos);
  EXPECT_NE(plugin_config("\"${file:/x\"").find("expected '}'"), std::string::npos);
  const std::string empty = write("empty", "\n");
  EXPECT_NE(plugin_config("\"${file:" + empty + "}\"").find("an empty file"), std::string::npos);
}

TEST(Secrets, FilesThatOthersReadOrThatAreNoneAreRefused) {
  for (const mode_t mode : {0444, 0404, 0460, 0602}) {
    const std::string why = plugin_config("\"${file:" + write("open", kSecret, mode) + "}\"");
    EXPECT_NE(why.find("expected a file that others cannot read"), std::string::npos) << why;
    EXPECT_EQ(why.find(kSecret), std::string::npos) << why;
  }
  EXPECT_EQ(plugin_config("\"${file:" + write("group", kSecret, 0440) + "}\""),
            R"({"v":"s3cr3t-of-the-house"})");
  EXPECT_NE(plugin_config("\"${file:/tmp}\"").find("got something else"), std::string::npos);
  EXPECT_NE(plugin_config("\"${file:/dev/zero}\"").find("got something else"), std::string::npos);
  const std::string large = write("large", std::string(kMaxSecret + 1, 'x'));
  EXPECT_NE(plugin_config("\"${file:" + large + "}\"").find("at most 64KiB"), std::string::npos);
  const std::string bytes = write("bytes", std::string("\xff\xfe", 2));
  EXPECT_NE(plugin_config("\"${file:" + bytes + "}\"").find("other bytes"), std::string::npos);
}

TEST(Secrets, NoMistakeShowsTheValue) {
  ::setenv("FERMATA_TEST_SECRET", kSecret, 1);
  for (const char* text : {"listen: \"${env:FERMATA_TEST_SECRET}\"\n",
                           "limits: { jobs: \"${env:FERMATA_TEST_SECRET}\" }\n",
                           "limits: \"${env:FERMATA_TEST_SECRET}\"\n",
                           "log: { level: \"${env:FERMATA_TEST_SECRET}\" }\n",
                           "shutdown: { pause: \"${env:FERMATA_TEST_SECRET}\" }\n",
                           "allow_insecure_public: \"${env:FERMATA_TEST_SECRET}\"\n",
                           "plugins: { config: { p: \"${env:FERMATA_TEST_SECRET}\" } }\n"}) {
    const absl::Status status = parse_config(text, "f.yaml").status();
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.message().find("s3cr3t"), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find("a secret"), absl::string_view::npos) << status;
  }
}

TEST(Redactor, TakesSecretsOutAlsoWhenTheyAreCutShort) {
  const Redactor redactor({"first-secret-of-all", "short", "line one is long\nline two is long",
                           "first-secret-of-all-and-more"});
  EXPECT_EQ(redactor.redact("a first-secret-of-all b"), "a [secret] b");
  EXPECT_EQ(redactor.redact("first-secret-of-all-and-more"), "[secret]");
  EXPECT_EQ(redactor.redact("got 'first-secret-...'"), "got '[secret]...'");
  EXPECT_EQ(redactor.redact("line two is long, line one is long"), "[secret], [secret]");
  EXPECT_EQ(redactor.redact("short is short"), "short is short");
  EXPECT_EQ(redactor.redact("first-first-secret-of-all"), "first-[secret]");
  EXPECT_EQ(Redactor().redact("anything"), "anything");
}

}  // namespace
}  // namespace fermata

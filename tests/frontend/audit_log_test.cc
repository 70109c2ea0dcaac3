// The audit log: what a line looks like, and that nothing makes it grow without bound.
#include "services/frontend/audit_log.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "gtest/gtest.h"
#include "services/config/json.h"

namespace fermata::frontend {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class AuditFile : public testing::Test {
 protected:
  AuditFile() {
    std::string name = testing::TempDir() + "/audit-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  std::string path() const { return folder_ + "/audit.log"; }
  std::unique_ptr<AuditLog> open(uint64_t file_bytes = 1 << 20, int files = 3) const {
    absl::StatusOr<std::unique_ptr<AuditLog>> log = AuditLog::open({path(), file_bytes, files});
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }
  std::vector<std::string> lines(const std::string& suffix = "") const {
    std::vector<std::string> out;
    std::ifstream file(path() + suffix);
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
  }

 private:
  std::string folder_;
};

AuditEvent event(std::string_view resource = "jobs/1") {
  AuditEvent out;
  out.method = "Jobs.Cancel";
  out.outcome = "OK";
  out.principal = "team-a";
  out.resource = resource;
  return out;
}

TEST_F(AuditFile, ALineIsOneJsonObject) {
  const auto log = open();
  log->record(event(), kNow);
  ASSERT_TRUE(log->write().ok());
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines()[0],
            R"({"time":"2027-01-15T08:00:00.000000Z","method":"Jobs.Cancel","outcome":"OK",)"
            R"("principal":"team-a","resource":"jobs/1"})");
}

TEST_F(AuditFile, NobodyForgesALine) {
  const auto log = open();
  const std::string hostile =
      "jobs/1\"}\n{\"time\":\"2027\",\"principal\":\"admin\"}\r\x1b[2J\xff\0" +
      std::string(9000, 'x');
  log->record(event(hostile), kNow);
  ASSERT_TRUE(log->write().ok());
  ASSERT_EQ(lines().size(), 1u);
  const auto parsed = parse_json(lines()[0]);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_STREQ((*parsed)["principal"].GetString(), "team-a");
  EXPECT_LE((*parsed)["resource"].GetStringLength(), AuditLog::kMaxText);
  EXPECT_EQ(lines()[0].find('\x1b'), std::string::npos);
}

TEST_F(AuditFile, OthersCannotReadIt) {
  const auto log = open();
  struct stat found = {};
  ASSERT_EQ(::stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(AuditFile, AFloodOfRefusalsIsCountedInsteadOfWritten) {
  const auto log = open();
  AuditEvent refused = event();
  refused.refusal = true;
  for (int i = 0; i < 100'000; ++i) log->record(refused, kNow);
  log->record(event("jobs/2"), kNow);  // what changes something is never left out
  log->record(refused, kNow + absl::Seconds(1));
  ASSERT_TRUE(log->write().ok());
  const auto all = lines();
  ASSERT_EQ(all.size(), static_cast<size_t>(AuditLog::kRefusalsBurst + 3));
  EXPECT_NE(all[all.size() - 3].find("jobs/2"), std::string::npos);
  EXPECT_NE(all[all.size() - 2].find("\"refusals_left_out\":99800"), std::string::npos)
      << all[all.size() - 2];
}

TEST_F(AuditFile, FilesTurnOverAndTheOldestGoes) {
  const auto log = open(4096, 3);
  for (int i = 0; i < 400; ++i) {
    log->record(event("jobs/" + std::to_string(i)), kNow);
    ASSERT_TRUE(log->write().ok());
  }
  for (const char* suffix : {"", ".1", ".2"}) {
    std::ifstream file(path() + suffix, std::ios::ate);
    EXPECT_GT(file.tellg(), 0) << suffix;
    EXPECT_LE(file.tellg(), 4096) << suffix;
  }
  EXPECT_NE(::access((path() + ".3").c_str(), F_OK), 0);
  EXPECT_NE(::access((path() + ".new").c_str(), F_OK), 0);
  EXPECT_NE(lines().back().find("jobs/399"), std::string::npos);
}

TEST_F(AuditFile, AWriterThatIsBehindLosesLinesAndSaysHowMany) {
  const auto log = open(64 << 20);
  const std::string large(AuditLog::kMaxText, 'x');
  for (int i = 0; i < 10'000; ++i) log->record(event(large), kNow);
  ASSERT_TRUE(log->write().ok());
  const uint64_t lost = log->lost();
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(lines().back(), "{\"lines_lost\":" + std::to_string(lost) + "}");
  EXPECT_EQ(lines().size() - 1 + lost, 10'000u);
  ASSERT_TRUE(log->write().ok());
  EXPECT_EQ(lines().size() - 1 + lost, 10'000u);  // told once
}

TEST_F(AuditFile, ADiskThatRefusesIsToldOnceAndRecoversByItself) {
  const auto log = open();
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit nothing = {0, before.rlim_max};
  log->record(event("jobs/lost"), kNow);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &nothing), 0);
  const absl::Status first = log->write();
  log->record(event("jobs/lost"), kNow);
  const absl::Status second = log->write();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(first.ok());
  EXPECT_NE(std::string(first.message()).find(path()), std::string::npos) << first;
  EXPECT_TRUE(second.ok());  // it has been said
  log->record(event("jobs/kept"), kNow);
  EXPECT_TRUE(log->write().ok());
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_NE(lines()[0].find("jobs/kept"), std::string::npos);
  EXPECT_EQ(lines()[1], "{\"lines_lost\":2}");
}

TEST_F(AuditFile, WhatIsNoFileIsRefusedByName) {
  for (const std::string& bad : {std::string("/nowhere/audit.log"), testing::TempDir()}) {
    const std::string why(AuditLog::open({bad, 1 << 20, 1}).status().message());
    EXPECT_NE(why.find(bad), std::string::npos) << why;
  }
}

}  // namespace
}  // namespace fermata::frontend

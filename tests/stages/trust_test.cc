// Which files may run: by who can write them, by plugins.lock, and by what was rolled back.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/config/sha256.h"
#include "services/stages/denied_list.h"
#include "services/stages/plugins_lock.h"
#include "services/stages/private_copy.h"
#include "tests/stages/testing/reload_fixture.h"

namespace fermata {
namespace {

class Trust : public Reload {
 public:
  Trust() { options.lock = folder() + "/../plugins.lock"; }
  void write_lock(std::string_view text, int mode = 0644) {
    std::ofstream(options.lock) << text;
    ASSERT_EQ(::chmod(options.lock.c_str(), static_cast<mode_t>(mode)), 0);
  }
  std::string entry(const std::string& version, const std::string& id = "org.example.versioned") {
    return "  " + hash_of("v1_0") + ": { id: " + id + ", version: " + version + " }\n";
  }
  static std::string hash_of(const std::string& version) {
    return sha256_hex(read_runfile(file_of(version)));
  }
  // Loads v1_0 and gives its refusal.
  std::string refusal_now() {
    drop("v1_0");
    run([](PluginHost& host, Reload& test) -> Co<absl::Status> { co_return absl::OkStatus(); });
    return report.refusals.empty() ? "" : report.refusals.front();
  }
};

TEST_F(Trust, WhatTheLockNamesIsLoaded) {
  write_lock("plugins:\n" + entry("1.0.0"));
  EXPECT_EQ(refusal_now(), "");
  EXPECT_EQ(report.loaded, 1u);
}

TEST_F(Trust, WhatItDoesNotNameIsRefused) {
  write_lock("plugins:\n  " + std::string(64, '7') +
             ": { id: org.example.versioned, version: 1.0.0 }\n");
  EXPECT_EQ(refusal_now(), "PLG-131 p.so: sha256 " + hash_of("v1_0").substr(0, 8) +
                               " is not in plugins.lock (it has 77777777 for 1.0.0) - fermata "
                               "plugin allow p.so");
}

TEST_F(Trust, BytesThatItKnowsAsAnotherPluginAreRefused) {
  write_lock("plugins:\n" + entry("1.0.0", "org.example.other"));
  EXPECT_EQ(refusal_now(), "PLG-131 p.so: plugins.lock has sha256 " + hash_of("v1_0").substr(0, 8) +
                               " as org.example.other 1.0.0, the file says org.example.versioned "
                               "1.0.0 - fermata plugin allow p.so");
}

TEST_F(Trust, ALockThatOthersMayWriteAllowsNothing) {
  write_lock("plugins:\n" + entry("1.0.0"), 0666);
  EXPECT_TRUE(absl::StartsWith(refusal_now(), "PLG-131 p.so: plugins.lock cannot be used: PLG-130"))
      << report.refusals.front();
}

TEST_F(Trust, AMissingOrWrongLockAllowsNothing) {
  EXPECT_TRUE(absl::StrContains(refusal_now(), "plugins.lock"));
  write_lock("plugins:\n  abc: { id: x, version: 1.0.0 }\n");
  EXPECT_TRUE(absl::StrContains(refusal_now(), "a sha256 (64 hex digits)"));
}

TEST_F(Trust, AllowAddsWhatTheFileIsAndLoadingItWorks) {
  const std::string bytes = read_runfile(file_of("v1_0"));
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<std::string> added = allow_in_lock(options.lock, "/some/p.so", bytes);
    ASSERT_TRUE(added.ok()) << added.status();
    EXPECT_TRUE(absl::StrContains(*added, i == 0 ? "may be loaded" : "already")) << *added;
  }
  EXPECT_EQ(refusal_now(), "");
  EXPECT_FALSE(allow_in_lock(options.lock, "x.so", "no plugin").ok());
}

TEST_F(Trust, AFileWithASecondNameIsRefused) {
  options.lock.clear();
  drop("v1_0");
  ASSERT_EQ(::link((folder() + "/p.so").c_str(), (folder() + "/p.tmp").c_str()), 0);
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> { co_return absl::OkStatus(); });
  ASSERT_EQ(report.refusals.size(), 1u);
  EXPECT_EQ(report.refusals.front(),
            "PLG-130 p.so: has 2 names (hard links), so it may be written by another - copy it");
}

TEST_F(Trust, EveryLoadLeavesOneLineThatSaysWhoseFileItWas) {
  options.lock.clear();
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport bad = co_await test.reload(host, "v1_3_create_fails");
    EXPECT_FALSE(bad.status.ok());
    co_return absl::OkStatus();
  });
  const std::string uid = std::to_string(::getuid());
  EXPECT_TRUE(logged("load file=p.so uid=" + uid + " version=1.0.0 sha256=" + hash_of("v1_0") +
                     " placement=inproc result=loaded"));
  EXPECT_TRUE(logged("result=refused before=1.0.0+" + hash_of("v1_0").substr(0, 8) +
                     ": PLG-160 org.example.versioned/version: create() returned"));
}

TEST(PluginFolder, AboveItTheStickyBitKeepsOthersOutButNotTheOwner) {
  struct stat tmp{};
  tmp.st_mode = S_IFDIR | S_ISVTX | 0777;
  tmp.st_gid = ::getegid() + 1;
  EXPECT_EQ(who_else_may_rename(tmp), "");
  tmp.st_uid = ::geteuid();
  EXPECT_EQ(who_else_may_rename(tmp), "");
  tmp.st_mode &= ~static_cast<mode_t>(S_ISVTX);
  EXPECT_TRUE(absl::StartsWith(who_else_may_rename(tmp), "world-writable (0777 "));
  tmp.st_mode |= S_ISVTX;
  tmp.st_uid = ::geteuid() + 65534;
  EXPECT_TRUE(absl::StartsWith(who_else_may_rename(tmp), "owned by another user (1777 "));
}

TEST(LoaderEnvironment, WhatWouldBringOtherCodeInIsNamed) {
  EXPECT_EQ(check_loader_environment(), absl::OkStatus());
  ::setenv("LD_AUDIT", "/tmp/x.so", 1);
  EXPECT_EQ(check_loader_environment().message(),
            "plugins.trust is lock, and LD_AUDIT is set (/tmp/x.so): it would bring code that is "
            "in no lock into the server - unset it");
  ::unsetenv("LD_AUDIT");
}

// ---- roll-back --------------------------------------------------------------------------------

class Rollback : public Reload {
 public:
  Rollback() { options.denied_file = folder() + "/../denied"; }
};

TEST_F(Rollback, IsOneStepBackAndTheOtherBytesStayAway) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v1_1");
    absl::StatusOr<std::string> back = co_await host.rollback("versioned", "because");
    EXPECT_TRUE(back.ok()) << back.status();
    StageOutcome outcome = co_await call_stage(host, "versioned/version", "0");
    EXPECT_EQ(outcome.output.view(), "\"1.0.0\"");
    report = co_await test.reload(host, "v1_1");
    EXPECT_TRUE(
        absl::StartsWith(report.status.message(), "PLG-134 p.so: org.example.versioned 1.1.0 ("))
        << report.status;
    EXPECT_TRUE(absl::EndsWith(report.status.message(),
                               ") was rolled back: because - raise the version, or fermata plugin "
                               "allow p.so"))
        << report.status;
    back = co_await host.rollback("versioned", "again");
    EXPECT_EQ(back.status().code(), absl::StatusCode::kFailedPrecondition);
    back = co_await host.rollback("nobody", "again");
    EXPECT_EQ(back.status().code(), absl::StatusCode::kNotFound);
    co_return absl::OkStatus();
  });
  // A restart remembers; allow() forgets.
  drop("v1_1");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    EXPECT_EQ(test.report.refusals.size(), 1u);
    absl::StatusOr<std::string> allowed =
        co_await host.allow(sha256_hex(read_runfile(Reload::file_of("v1_1"))));
    EXPECT_TRUE(allowed.ok()) << allowed.status();
    FileReport report = co_await host.load_file("p.so", LoadReason::kDropped);
    EXPECT_TRUE(report.status.ok()) << report.status;
    co_return absl::OkStatus();
  });
}

TEST_F(Rollback, AfterItsWindowTheVersionBeforeIsLoadedFromTheServersCopy) {
  drop("v1_0");
  options.canary.steps = {50};
  options.canary.attempts = 0;
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v1_1");
    co_await sleep(absl::Minutes(12));
    EXPECT_EQ(test.states(host), (std::vector<std::string>{"1.0.0 retired", "1.1.0 active"}));
    absl::StatusOr<std::string> back = co_await host.rollback("versioned", "because");
    EXPECT_TRUE(back.ok()) << back.status();
    StageOutcome outcome = co_await call_stage(host, "versioned/version", "0");
    EXPECT_EQ(outcome.output.view(), "\"1.0.0\"") << "at once, not as a canary";
    report = co_await host.load_file("p.so", LoadReason::kDropped);
    EXPECT_TRUE(absl::StartsWith(report.status.message(), "PLG-134 ")) << report.status;
    back = co_await host.rollback("versioned", "again");
    EXPECT_TRUE(absl::StrContains(back.status().message(), "has no version to go back to: 1.0.0+"))
        << back.status();
    co_return absl::OkStatus();
  });
}

TEST_F(Rollback, WithoutThatCopyNothingChanges) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v1_1");
    co_await sleep(absl::Minutes(12));
    const std::string sha256 = sha256_hex(read_runfile(Reload::file_of("v1_0")));
    const std::string copy = test.options.private_dir + "/" + sha256 + ".so";
    EXPECT_EQ(::unlink(copy.c_str()), 0);  // its code is mapped: the bytes must stay
    std::ofstream(copy) << "other bytes";
    absl::StatusOr<std::string> back = co_await host.rollback("versioned", "because");
    EXPECT_TRUE(absl::StartsWith(back.status().message(),
                                 "PLG-100 p.so: the copy of " + sha256.substr(0, 8) + " holds "))
        << back.status();
    EXPECT_EQ(::unlink(copy.c_str()), 0);
    back = co_await host.rollback("versioned", "because");
    EXPECT_TRUE(absl::StartsWith(back.status().message(), "PLG-100 p.so: cannot open "))
        << back.status();
    StageOutcome outcome = co_await call_stage(host, "versioned/version", "0");
    EXPECT_EQ(outcome.output.view(), "\"1.1.0\"");
    co_return absl::OkStatus();
  });
}

TEST_F(Rollback, ACanaryThatFailsMoreOftenGoesByItself) {
  drop("v1_0");
  options.canary.steps = {10, 100};
  options.canary.step_time = absl::Seconds(30);
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v1_2_call_fails");
    EXPECT_EQ(test.states(host), (std::vector<std::string>{"1.0.0 active", "1.2.0 canary"}));
    co_await yield_now();
    int failed = 0;
    for (int i = 0; i < 1000; ++i) {
      StageOutcome outcome = co_await call_stage(host, "versioned/version", "1");
      if (!outcome.status.ok()) ++failed;
    }
    EXPECT_EQ(failed, 100);
    co_await sleep(absl::Seconds(2));
    EXPECT_TRUE(
        test.logged("PLG-190 org.example.versioned 1.2.0: rolled back after 100 attempts: "
                    "100.0 % errors vs 0.0 % on 1.0.0"));
    StageOutcome outcome = co_await call_stage(host, "versioned/version", "1");
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    co_return absl::OkStatus();
  });
}

TEST_F(Rollback, ACanaryThatRefusesWhatWasRightGoesByItself) {
  drop("v1_0");
  options.canary.steps = {50};
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v1_2_call_refuses");
    EXPECT_EQ(report.state, GenerationState::kCanary);
    co_await yield_now();
    for (int i = 0; i < 200; ++i) {
      StageOutcome outcome = co_await call_stage(host, "versioned/version", "1");
      EXPECT_EQ(outcome.status.ok(), i % 2 == 0) << i << " " << outcome.status;
    }
    co_await sleep(absl::Seconds(2));
    EXPECT_TRUE(
        test.logged("PLG-190 org.example.versioned 1.2.0: rolled back after 100 attempts: "
                    "100.0 % errors vs 0.0 % on 1.0.0"));
    co_return absl::OkStatus();
  });
}

TEST_F(Rollback, ACanaryThatDoesWellBecomesActive) {
  drop("v1_0");
  options.canary.steps = {50};
  options.canary.attempts = 10;
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v1_1");
    co_await yield_now();
    for (int i = 0; i < 100; ++i) {
      StageOutcome outcome = co_await call_stage(host, "versioned/version", "1");
      EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    }
    co_await sleep(absl::Minutes(1));
    EXPECT_EQ(test.states(host), (std::vector<std::string>{"1.0.0 warm", "1.1.0 active"}));
    co_return absl::OkStatus();
  });
}

TEST(DeniedList, AFileThatIsNoListNamesTheLine) {
  const char* base = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(base != nullptr ? base : "/tmp") + "/denied-list";
  std::ofstream(path) << "# a comment\nabc org.example 1.0.0 why\n";
  absl::StatusOr<DeniedList> list = DeniedList::load(path);
  EXPECT_TRUE(absl::StrContains(list.status().message(), ":2: expected a sha256")) << list.status();
  DeniedList fresh;
  fresh.add(std::string(64, 'a'), {"org.example.x", "1.0.0", "two\nlines"});
  ASSERT_EQ(DeniedList::save(path, fresh), absl::OkStatus());
  list = DeniedList::load(path);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_NE(list->find(std::string(64, 'a')), nullptr);
  EXPECT_EQ(list->find(std::string(64, 'a'))->why, "two lines");
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace fermata

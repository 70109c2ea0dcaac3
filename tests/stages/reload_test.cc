// Changing versions while the stages are called: which one an attempt runs in, what becomes of the
// one before, and what a bad file can do (nothing). In virtual time, with real plugin files.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/stages/testing/reload_fixture.h"

namespace fermata {
namespace {

using Labels = std::vector<std::string>;

TEST_F(Reload, ADroppedVersionRunsTheNextAttemptAndTheOneThatRunsEndsInItsOwn) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    Task<StageOutcome> before = test.spawn_call(host, "versioned/version", "1000");
    co_await sleep(absl::Milliseconds(1));
    FileReport report = co_await test.reload(host, "v1_1");
    EXPECT_TRUE(report.status.ok()) << report.status;
    EXPECT_EQ(report.before.substr(0, 6), "1.0.0+");
    StageOutcome after = co_await call_stage(host, "versioned/version", "0");
    EXPECT_EQ(after.output.view(), "\"1.1.0\"");
    EXPECT_EQ(after.version, report.label);
    EXPECT_EQ(test.states(host), (Labels{"1.0.0 draining", "1.1.0 active"}));
    Outcome<StageOutcome> ended = co_await std::move(before);
    StageOutcome old = std::move(ended).to_status_or().value();
    EXPECT_EQ(old.output.view(), "\"1.0.0\"");
    EXPECT_EQ(old.version, report.before);
    co_await sleep(absl::Milliseconds(10));
    EXPECT_EQ(test.states(host), (Labels{"1.0.0 warm", "1.1.0 active"}));
    co_await sleep(absl::Minutes(11));
    EXPECT_EQ(test.states(host), (Labels{"1.0.0 retired", "1.1.0 active"}));
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, AnAttemptThatCallsItsOwnPluginStaysInItsVersion) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    Task<StageOutcome> nested = test.spawn_call(host, "versioned/nested", "500");
    co_await sleep(absl::Milliseconds(1));
    FileReport report = co_await test.reload(host, "v1_1");
    EXPECT_TRUE(report.status.ok()) << report.status;
    Outcome<StageOutcome> ended = co_await std::move(nested);
    EXPECT_EQ(std::move(ended).to_status_or().value().output.view(), "\"1.0.0\"");
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, ACallThatOutlastsTheDrainIsPreempted) {
  drop("v1_0");
  options.drain_timeout = absl::Seconds(5);
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    Task<StageOutcome> slow = test.spawn_call(host, "versioned/version", "3600000");
    co_await sleep(absl::Milliseconds(1));
    FileReport report = co_await test.reload(host, "v1_1");
    const absl::Time began = now();
    Outcome<StageOutcome> ended = co_await std::move(slow);
    StageOutcome outcome = std::move(ended).to_status_or().value();
    EXPECT_TRUE(outcome.preempted);
    EXPECT_EQ(now() - began, absl::Seconds(5));
    EXPECT_TRUE(
        test.logged("PLG-191 1.0.0: 1 calls still running after 5s, cancelled and tried "
                    "again on the new version"));
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, TheSameBytesAgainChangeNothingUnlessSomebodyAsks) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport same = co_await host.load_file("p.so", LoadReason::kDropped);
    EXPECT_TRUE(same.status.ok());
    EXPECT_FALSE(same.fresh);
    FileReport asked = co_await host.load_file("p.so", LoadReason::kAsked);
    EXPECT_TRUE(asked.status.ok()) << asked.status;
    EXPECT_TRUE(asked.fresh);
    co_await sleep(absl::Minutes(11));
    EXPECT_EQ(test.states(host), (Labels{"1.0.0 active", "1.0.0 retired"}));
    EXPECT_EQ(host.counts().unchanged, 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, ABadFileLeavesTheOldVersionServing) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport bad = co_await test.reload(host, "v1_3_create_fails");
    EXPECT_EQ(bad.status.message(),
              "PLG-160 org.example.versioned/version: create() returned E_UNAVAILABLE: no reason "
              "given");
    EXPECT_EQ(test.states(host), (Labels{"1.0.0 active", "1.3.0 refused"}));
    test.put("p.so", "no plugin");
    bad = co_await host.load_file("p.so", LoadReason::kDropped);
    EXPECT_TRUE(absl::StartsWith(bad.status.message(), "PLG-101 p.so:")) << bad.status;
    StageOutcome outcome = co_await call_stage(host, "versioned/version", "0");
    EXPECT_EQ(outcome.output.view(), "\"1.0.0\"");
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, OtherBytesUnderTheSameVersionAreRefused) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport other = co_await test.reload(host, "v1_0_other");
    EXPECT_TRUE(absl::StartsWith(
        other.status.message(),
        "PLG-132 p.so: org.example.versioned 1.0.0 is active already with other bytes ("))
        << other.status;
    EXPECT_TRUE(absl::EndsWith(other.status.message(), ") - raise the version")) << other.status;
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, VersionsSideBySideAreCalledByPin) {
  put_plugin("a.so", file_of("v1_0"));
  put_plugin("b.so", file_of("v1_1"));
  put_plugin("c.so", file_of("v2_0"));
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    const std::pair<const char*, const char*> expected[] = {
        {"versioned/version", "\"2.0.0\""},     {"versioned/version@1", "\"1.1.0\""},
        {"versioned/version@1.0", "\"1.0.0\""}, {"versioned/version@1.0.0", "\"1.0.0\""},
        {"versioned/version@2", "\"2.0.0\""},   {"org.example.versioned/version@1.1", "\"1.1.0\""},
    };
    for (const auto& [use, answer] : expected) {
      StageOutcome outcome = co_await call_stage(host, use, "0");
      EXPECT_EQ(outcome.output.view(), answer) << use << " " << outcome.status;
    }
    EXPECT_EQ(host.resolve("versioned/version@1.2").status().message(),
              "no version 1.2 of 'versioned/version', only 1.0.0, 1.1.0, 2.0.0");
    EXPECT_EQ(host.resolve("versioned/only_new@1.0").status().message(),
              "no version 1.0 of 'versioned/only_new', only 1.0.0, 1.1.0, 2.0.0");
    host.file_gone("a.so");
    co_await sleep(absl::Seconds(1));
    EXPECT_FALSE(host.resolve("versioned/version@1.0").ok());
    EXPECT_TRUE(host.resolve("versioned/version@1.1").ok());
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, AVersionThatAPipelineNamesIsKept) {
  drop("v1_0");
  options.uses = [] { return Labels{"versioned/version@1.0", "versioned/version"}; };
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v2_0");
    co_await sleep(absl::Minutes(11));
    EXPECT_EQ(test.states(host), (Labels{"1.0.0 pinned", "2.0.0 active"}));
    StageOutcome pinned = co_await call_stage(host, "versioned/version@1.0", "0");
    EXPECT_EQ(pinned.output.view(), "\"1.0.0\"");
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, AStageThatTheNewVersionLacksSaysSo) {
  drop("v1_1");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    absl::StatusOr<StageRef> stage = host.resolve("versioned/only_new");
    EXPECT_TRUE(stage.ok()) << stage.status();
    if (!stage.ok()) co_return stage.status();
    FileReport report = co_await test.reload(host, "v1_0");
    StageOutcome outcome = co_await host.call(*stage, StageRequest());
    EXPECT_EQ(outcome.status.message(),
              "no version of org.example.versioned that is loaded has the stage 'only_new' any "
              "more (it was in 1.1.0)");
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, ANamesakeThatComesLaterTakesNothingAway) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    test.put_plugin("other.so", Reload::file_of("namesake"));
    FileReport other = co_await host.load_file("other.so", LoadReason::kDropped);
    EXPECT_TRUE(other.status.ok()) << other.status;
    StageOutcome first = co_await call_stage(host, "versioned/version", "0");
    EXPECT_EQ(first.output.view(), "\"1.0.0\"");
    StageOutcome second = co_await call_stage(host, "net.elsewhere.versioned/version", "0");
    EXPECT_EQ(second.output.view(), "\"7.0.0\"");
    EXPECT_TRUE(test.logged("org.example.versioned is called 'versioned' too: it keeps that name"));
    // A new version of the first goes on with the name.
    FileReport report = co_await test.reload(host, "v1_1");
    first = co_await call_stage(host, "versioned/version", "0");
    EXPECT_EQ(first.output.view(), "\"1.1.0\"");
    absl::StatusOr<std::string> back = co_await host.rollback("versioned", "of a test");
    EXPECT_EQ(back.status().message(),
              "'versioned' is net.elsewhere.versioned and org.example.versioned - write the full "
              "plugin id");
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, OfTwoNamesakesAtTheStartNeitherHasTheName) {
  drop("v1_0");
  put_plugin("other.so", file_of("namesake"));
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    EXPECT_EQ(host.resolve("versioned/version").status().message(),
              "'versioned/version' is in two plugins: write the full plugin id");
    EXPECT_TRUE(host.resolve("org.example.versioned/version").ok());
    EXPECT_TRUE(test.logged("is called 'versioned' too: by that name neither can be called"));
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, AStageWhosePluginWasRefusedSaysSo) {
  put_plugin("p.so", file_of("namesake_create_fails"));
  run([](PluginHost& host, Reload&) -> Co<absl::Status> {
    for (const char* plugin : {"versioned", "net.elsewhere.versioned"}) {
      EXPECT_EQ(host.resolve(std::string(plugin) + "/version").status().message(),
                std::string("no stage '") + plugin +
                    "/version'; no plugin is loaded; p.so was refused (PLG-160): `fermata plugins` "
                    "says why");
    }
    EXPECT_EQ(host.resolve("other/version").status().message(),
              "no stage 'other/version'; no plugin is loaded");
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, ANamesakeThatWasRefusedIsNoPlugin) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    FileReport report = co_await test.reload(host, "v1_1");
    test.put_plugin("other.so", Reload::file_of("namesake_create_fails"));
    FileReport other = co_await host.load_file("other.so", LoadReason::kDropped);
    EXPECT_FALSE(other.status.ok());
    absl::StatusOr<std::string> back = co_await host.rollback("versioned", "of a test");
    EXPECT_TRUE(back.ok()) << back.status();
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, BackAndForthAHundredTimesMapsTwoFilesAndKeepsTwoGenerations) {
  drop("v1_0");
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    for (int i = 0; i < 100; ++i) {
      const std::string next = i % 2 == 0 ? "v1_1" : "v1_0";
      FileReport report = co_await test.reload(host, next);
      EXPECT_TRUE(report.status.ok()) << i << " " << report.status;
      if (!report.status.ok()) co_return report.status;
      StageOutcome outcome = co_await call_stage(host, "versioned/version", "1");
      EXPECT_EQ(outcome.output.view(), i % 2 == 0 ? "\"1.1.0\"" : "\"1.0.0\"");
    }
    co_await sleep(absl::Seconds(1));
    EXPECT_LE(test.serving(host), 2u);
    EXPECT_EQ(host.counts().loaded, 101u);
    co_return absl::OkStatus();
  });
}

TEST_F(Reload, TooManyRetiredVersionsAreRefused) {
  drop("v1_0");
  options.rollback_window = absl::ZeroDuration();
  run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
    // Without a window, code that was stopped is mapped anew each time.
    FileReport report;
    for (int i = 0; i < 17; ++i) {
      const std::string next = i % 2 == 0 ? "v1_1" : "v1_0";
      report = co_await test.reload(host, next);
      if (!report.status.ok()) break;
      co_await sleep(absl::Seconds(1));
    }
    EXPECT_EQ(report.status.message(),
              "PLG-193 p.so: 16 versions of org.example.versioned are retired and stay mapped, at "
              "most 16 may - restart the server, or run this plugin in a process of its own");
    StageOutcome outcome = co_await call_stage(host, "versioned/version", "0");
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

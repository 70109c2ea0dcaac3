// A new version that keeps killing its process gives way to the one before, by itself: at most once
// an hour.
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/config/sha256.h"
#include "tests/stages/isolated/isolated_fixture.h"

namespace fermata {
namespace {

class CrashRollback : public Isolated {
 public:
  CrashRollback() {
    options.log = [this, before = options.log](const StageLogRecord& record) {
      before(record);
      logged_.set();
    };
  }

  // Runs the body while host.run() runs.
  using Steps = Co<absl::Status> (*)(PluginHost& host, CrashRollback& test);
  void run_steps(Steps steps) {
    steps_ = steps;
    run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
      auto* self = static_cast<CrashRollback*>(&test);
      PluginHost* running = &host;
      co_return co_await with_group(&CrashRollback::run_in_group, running, self);
    });
  }
  Co<FileReport> load_new_version(PluginHost& host) {
    put_plugin("crasher.so", kNewVersion);
    co_return co_await host.load_file("crasher.so", LoadReason::kDropped);
  }
  Co<void> crash_three_times(PluginHost& host) {
    for (int i = 0; i < 3; ++i) {
      StageOutcome outcome = co_await call_stage(host, "crasher/segv", "null");
      EXPECT_TRUE(outcome.lost) << outcome.status;
      EXPECT_EQ(outcome.version.substr(0, 6), "1.1.0+");
    }
  }
  Co<void> until_logged(std::string text) {
    while (!has_log(*this, text)) {
      logged_.clear();
      co_await logged_.wait();
    }
  }
  static constexpr char kNewVersion[] = "tests/stages/isolated/crasher_1_1.so";

 private:
  static Co<absl::Status> run_in_group(TaskGroup& group, PluginHost* host, CrashRollback* test) {
    group.spawn_named("plugins", &CrashRollback::run_host, host);
    co_await yield_now();
    absl::Status status = co_await test->steps_(*host, *test);
    group.cancel(CancelReason::kShutdown);
    co_return status;
  }
  static Co<absl::Status> run_host(PluginHost* host) { co_return co_await host->run(); }

  Steps steps_ = nullptr;
  Event logged_;
};

TEST_F(CrashRollback, ThreeCrashesBringTheVersionBeforeBackOnceAnHour) {
  run_steps([](PluginHost& host, CrashRollback& test) -> Co<absl::Status> {
    FileReport report = co_await test.load_new_version(host);
    EXPECT_EQ(report.status, absl::OkStatus());
    co_await test.crash_three_times(host);
    co_await test.until_logged(
        ": PLG-190 org.example.crasher 1.1.0: rolled back: it killed its process 3 times");
    StageOutcome outcome = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(outcome.version.substr(0, 6), "1.0.0+") << outcome.status;
    EXPECT_EQ(host.counts().rolled_back, 1u);

    absl::StatusOr<std::string> allowed =
        co_await host.allow(sha256_hex(read_runfile(CrashRollback::kNewVersion)));
    EXPECT_TRUE(allowed.ok()) << allowed.status();
    report = co_await test.load_new_version(host);
    EXPECT_EQ(report.status, absl::OkStatus());
    co_await test.crash_three_times(host);
    co_await test.until_logged(
        "killed its process 3 times; it stays, since a plugin is rolled back by itself at most "
        "once in 1h - fermata plugin rollback org.example.crasher");
    outcome = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(outcome.version.substr(0, 6), "1.1.0+") << outcome.status;
    EXPECT_EQ(host.counts().rolled_back, 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(CrashRollback, ACanaryIsWithdrawnAfterThreeCrashes) {
  options.canary.steps = {100};
  run_steps([](PluginHost& host, CrashRollback& test) -> Co<absl::Status> {
    FileReport report = co_await test.load_new_version(host);
    EXPECT_EQ(report.status, absl::OkStatus());
    co_await yield_now();
    co_await test.crash_three_times(host);
    co_await test.until_logged(
        ": PLG-190 org.example.crasher 1.1.0: rolled back: it killed its process 3 times");
    StageOutcome outcome = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(outcome.version.substr(0, 6), "1.0.0+") << outcome.status;
    co_return absl::OkStatus();
  });
}

// Its process is being started again when its version has to go: nothing of it has run, so it
// begins in the new one.
struct Waiting {
  static Co<absl::Status> call(PluginHost* host, StageRef stage, StageOutcome* out, Event* done) {
    StageRequest request;
    request.job_id = "waits";
    request.input = "1";
    *out = co_await host->call(stage, std::move(request));
    done->set();
    co_return absl::OkStatus();
  }
  static Co<absl::Status> all(TaskGroup& group, PluginHost* host, CrashRollback* test,
                              StageOutcome* out) {
    absl::StatusOr<StageRef> old = host->resolve("crasher/echo");
    for (int i = 0; i < 4; ++i) {  // so that it waits for up to 1.6 s
      StageOutcome crashed = co_await call_stage(*host, "crasher/segv", "null");
      EXPECT_TRUE(crashed.lost) << crashed.status;
    }
    Event done;
    group.spawn(call, host, *old, out, &done);
    co_await yield_now();
    FileReport report = co_await test->load_new_version(*host);
    EXPECT_EQ(report.status, absl::OkStatus());
    co_await done.wait();
    co_return absl::OkStatus();
  }
};

class ShortDrain : public CrashRollback {
 public:
  ShortDrain() { options.drain_timeout = absl::Milliseconds(1); }
};

TEST_F(ShortDrain, ACallThatWaitsForItsProcessGoesToTheNewVersion) {
  run_steps([](PluginHost& host, CrashRollback& test) -> Co<absl::Status> {
    StageOutcome out;
    PluginHost* running = &host;
    CrashRollback* self = &test;
    absl::Status ran = co_await with_group(&Waiting::all, running, self, &out);
    // Drawn: the process may have come back before the new version did.
    EXPECT_TRUE(out.status.ok() || out.preempted) << out.status;
    EXPECT_TRUE(out.status.ok() || (out.unstarted && out.retryable)) << out.status;
    co_return ran;
  });
}

}  // namespace
}  // namespace fermata

// Plugins in a process of their own: what they do to themselves, and what the server says of it.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class Isolated : public HostFixture {
 public:
  Isolated() {
    put_plugin("crasher.so", "tests/stages/isolated/crasher.so");
    put_plugin("sample.so", "tests/sdk/sample.so");
    crasher().placement = Placement::kIsolated;
  }
  PluginPlacement& crasher() { return options.placements.plugins["crasher"]; }
};

std::string text_of(const StageOutcome& outcome) { return std::string(outcome.status.message()); }

bool has_log(const HostFixture& test, const std::string& part) {
  for (const std::string& line : test.logs) {
    if (absl::StrContains(line, part)) return true;
  }
  return false;
}

const ProcessStats& stats_of(const PluginHost& host) { return *host.process_views().at(0).stats; }

// Hears that a call has begun.
struct Begun : StageObserver {
  void progress(double, std::string_view) override { event.set(); }
  void chunk(const Buffer& bytes) override { chunk_bytes += bytes.size(); }
  Event event;
  size_t chunk_bytes = 0;
};

Co<StageOutcome> call_observed(PluginHost* host, std::string use, StageObserver* observer) {
  absl::StatusOr<StageRef> stage = host->resolve(use);
  StageRequest request;
  request.job_id = "job-2";
  request.input = "null";
  request.observer = observer;
  co_return co_await host->call(*stage, std::move(request));
}

TEST_F(Isolated, AStageRunsInAProcessOfItsOwn) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "crasher/echo", "[1,2]");
    EXPECT_EQ(outcome.status, absl::OkStatus());
    EXPECT_EQ(outcome.output.view(), "[1,2]");
    EXPECT_TRUE(absl::StartsWith(outcome.version, "1.0.0+")) << outcome.version;
    const std::vector<PluginInfo> plugins = host.list();
    EXPECT_EQ(plugins.at(0).placement, "isolated");
    EXPECT_TRUE(absl::StartsWith(plugins.at(0).process, "ready, process "))
        << plugins.at(0).process;
    EXPECT_EQ(plugins.at(1).placement, "inproc");
    co_return absl::OkStatus();
  });
}

struct Death {
  const char* stage;
  const char* how;
};
class IsolatedDeath : public Isolated, public testing::WithParamInterface<Death> {
 public:
  inline static Death death;
};

TEST_P(IsolatedDeath, IsLostNamedAndStartedAgain) {
  death = GetParam();
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    const std::string use = absl::StrCat("crasher/", death.stage);
    StageOutcome outcome = co_await call_stage(host, use, "null");
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(outcome.lost);
    EXPECT_FALSE(outcome.preempted) << "it was this call";
    EXPECT_TRUE(outcome.retryable) << "the stage is idempotent";
    EXPECT_TRUE(absl::StrContains(text_of(outcome), use)) << text_of(outcome);
    EXPECT_TRUE(absl::StrContains(text_of(outcome), death.how)) << text_of(outcome);
    EXPECT_TRUE(has_log(test, "the crash was in stage " + use + ", jobs/job-1"));

    // Waits for the next process; stages of other plugins never noticed.
    StageOutcome after = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(after.status, absl::OkStatus());
    StageOutcome other = co_await call_stage(host, "sample/echo", "2");
    EXPECT_EQ(other.status, absl::OkStatus());
    EXPECT_EQ(stats_of(host).starts, 2u);
    EXPECT_EQ(stats_of(host).restarts, 1u);
    EXPECT_EQ(stats_of(host).running, 1u);
    co_return absl::OkStatus();
  });
}

INSTANTIATE_TEST_SUITE_P(Ways, IsolatedDeath,
                         testing::Values(Death{"segv", "SIGSEGV at 0x0"}, Death{"abort", "SIGABRT"},
                                         Death{"exit", "exit code 3"}, Death{"corrupt", "SIGABRT"}),
                         [](const auto& test) { return std::string(test.param.stage); });

TEST_F(Isolated, ALoopThatDoesNotComeBackIsAHang) {
  crasher().hang = absl::Seconds(1);
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "crasher/spin", "null");
    EXPECT_TRUE(outcome.lost);
    EXPECT_FALSE(outcome.preempted);
    EXPECT_TRUE(absl::StrContains(text_of(outcome), "no answer for 1s")) << text_of(outcome);
    EXPECT_EQ(stats_of(host).crashes.at("hang"), 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, AMemoryLimitEndsALeak) {
  crasher().confinement.memory_bytes = uint64_t{256} << 20;
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "crasher/leak", "null");
    EXPECT_TRUE(outcome.lost) << outcome.status;
    StageOutcome after = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(after.status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, WhatTheLastWordsWereIsLogged) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    co_await call_stage(host, "crasher/segv", "null");
    EXPECT_TRUE(has_log(test, "its process died: SIGSEGV at 0x0; its last words: about to touch"));
    co_return absl::OkStatus();
  });
}

Co<absl::Status> wait_then_crash(PluginHost* host, StageOutcome* wait, StageOutcome* once,
                                 StageOutcome* crash) {
  struct Body {
    static Co<absl::Status> call(PluginHost* host, std::string use, Begun* begun,
                                 StageOutcome* out) {
      *out = co_await call_observed(host, use, begun);
      co_return absl::OkStatus();
    }
    static Co<absl::Status> all(TaskGroup& group, PluginHost* host, StageOutcome* wait,
                                StageOutcome* once, StageOutcome* crash) {
      Begun waits;
      Begun waits_too;
      Task<void> a = group.spawn(call, host, "crasher/wait", &waits, wait);
      Task<void> b = group.spawn(call, host, "crasher/once", &waits_too, once);
      co_await waits.event.wait();
      co_await waits_too.event.wait();
      *crash = co_await call_stage(*host, "crasher/segv", "null");
      (void)co_await std::move(a);
      (void)co_await std::move(b);
      co_return absl::OkStatus();
    }
  };
  co_return co_await with_group(Body::all, host, wait, once, crash);
}

TEST_F(Isolated, BystandersAreRunAgainUnlessThatIsNotSafe) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome wait;
    StageOutcome once;
    StageOutcome crash;
    absl::Status ran = co_await wait_then_crash(&host, &wait, &once, &crash);
    EXPECT_TRUE(crash.lost && !crash.preempted);
    EXPECT_TRUE(wait.lost && wait.preempted) << "free of charge";
    EXPECT_TRUE(once.lost && !once.preempted && !once.retryable) << "its effects are unknown";
    EXPECT_TRUE(absl::StrContains(text_of(wait), "died in another call")) << text_of(wait);
    co_return ran;
  });
}

TEST_F(Isolated, FiveCrashesInARowOpenTheBreakerAndJobsWait) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    for (int i = 0; i < 5; ++i) {
      StageOutcome outcome = co_await call_stage(host, "crasher/segv", "null");
      EXPECT_TRUE(outcome.lost) << i;
    }
    StageOutcome outcome = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(outcome.preempted) << "waiting uses up no attempt";
    EXPECT_FALSE(outcome.lost) << "nothing has run";
    EXPECT_GT(outcome.retry_after, absl::Seconds(1));
    EXPECT_TRUE(absl::StrContains(text_of(outcome), "crashes in a loop, last SIGSEGV"))
        << text_of(outcome);
    EXPECT_EQ(host.degraded().size(), 1u);
    EXPECT_EQ(stats_of(host).breaker_open, 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, AFloodIsCutOffAndTheServerStaysSmall) {
  options.payload_max = 1 << 20;
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    Begun flood;
    StageOutcome outcome = co_await call_observed(&host, "crasher/flood", &flood);
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kResourceExhausted) << outcome.status;
    EXPECT_LE(flood.chunk_bytes, size_t{1} << 20);
    EXPECT_GT(flood.chunk_bytes, size_t{900000}) << "until then it was passed on";
    StageOutcome after = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(after.status, absl::OkStatus()) << "the stage let go, its process lives";
    EXPECT_EQ(stats_of(host).starts, 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, AnOutputThatIsTooLargeCostsTheProcessItsLife) {
  options.payload_max = 1 << 20;
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "crasher/huge", "null");
    EXPECT_FALSE(outcome.status.ok());
    EXPECT_TRUE(has_log(test, "a payload of 5242")) << "the frame was refused unread";
    StageOutcome after = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(after.status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, ALargeOutputWithinTheLimitArrives) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "crasher/huge", "null");
    EXPECT_EQ(outcome.status, absl::OkStatus());
    EXPECT_EQ(outcome.output.size(), size_t{5 << 20} + 2);
    const std::string input = absl::StrCat("\"", std::string(3 << 20, 'y'), "\"");
    StageOutcome echoed = co_await call_stage(host, "crasher/echo", input);
    EXPECT_TRUE(echoed.output.view() == input);
    co_return absl::OkStatus();
  });
}

Co<absl::Status> hold_and_give_up(PluginHost* host) {
  struct Body {
    static Co<absl::Status> call(PluginHost* host, Begun* begun) {
      co_await call_observed(host, "crasher/hold", begun);
      co_return absl::OkStatus();
    }
    static Co<absl::Status> all(TaskGroup& group, PluginHost* host) {
      Begun begun;
      Task<void> held = group.spawn(call, host, &begun);
      co_await begun.event.wait();
      held.cancel();
      (void)co_await std::move(held);
      co_return absl::OkStatus();
    }
  };
  (void)co_await with_group(Body::all, host);
  co_return absl::OkStatus();
}

TEST_F(Isolated, WhoDoesNotLetGoOfACancelledCallIsKilled) {
  options.cancel_grace = absl::Milliseconds(50);
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    absl::Status gave_up = co_await hold_and_give_up(&host);
    EXPECT_TRUE(gave_up.ok()) << gave_up;
    StageOutcome after;
    do {  // a call that comes before its end is a bystander
      after = co_await call_stage(host, "crasher/echo", "1");
      EXPECT_TRUE(after.status.ok() || after.preempted) << after.status;
    } while (stats_of(host).starts < 2);
    EXPECT_EQ(stats_of(host).crashes.at("cancel"), 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, StagesCallEachOtherAcrossProcesses) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome out = co_await call_stage(host, "crasher/nest", R"("sample/echo")");
    EXPECT_EQ(out.output.view(), R"({"inner":[1]})") << out.status;
    StageOutcome in = co_await call_stage(host, "sample/nest", "crasher/echo");
    EXPECT_EQ(in.output.view(), "[crasher/echo]") << in.status;
    StageOutcome itself = co_await call_stage(host, "crasher/nest", R"("crasher/echo")");
    EXPECT_EQ(itself.output.view(), R"({"inner":[1]})") << itself.status;
    StageOutcome nobody = co_await call_stage(host, "crasher/nest", R"("no/such")");
    EXPECT_EQ(nobody.status.code(), absl::StatusCode::kUnimplemented) << nobody.status;
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, ClosingEndsCallsAndTheProcess) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    struct Body {
      static Co<absl::Status> call(PluginHost* host, Begun* begun, StageOutcome* out) {
        *out = co_await call_observed(host, "crasher/wait", begun);
        co_return absl::OkStatus();
      }
      static Co<absl::Status> all(TaskGroup& group, PluginHost* host, StageOutcome* out) {
        Begun begun;
        Task<void> task = group.spawn(call, host, &begun, out);
        co_await begun.event.wait();
        co_await host->close();
        (void)co_await std::move(task);
        co_return absl::OkStatus();
      }
    };
    StageOutcome outcome;
    absl::Status ran = co_await with_group(Body::all, &host, &outcome);
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kCancelled) << outcome.status;
    EXPECT_EQ(stats_of(host).running, 0u);
    EXPECT_TRUE(stats_of(host).crashes.empty()) << "an end that was asked for";
    co_return ran;
  });
}

TEST_F(Isolated, ItsEnvironmentIsCleanAndItsRightsAreLimited) {
  crasher().confinement.deny_syscalls = true;
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "crasher/probe", R"("/etc/passwd")");
    EXPECT_EQ(outcome.output.view(), R"({"denied":true,"readable":true,"home":false})");
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, FilesOutsideOfItsFoldersCannotBeRead) {
  crasher().confinement.limit_files = true;
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    if (test.report.refused == 1) {
      // A kernel without Landlock: what was asked for is not silently left out.
      EXPECT_TRUE(absl::StrContains(test.report.refusals.at(0), "Landlock ABI 1"));
      co_return absl::OkStatus();
    }
    StageOutcome outcome = co_await call_stage(host, "crasher/probe", R"("/etc/passwd")");
    EXPECT_EQ(outcome.output.view(), R"({"denied":false,"readable":false,"home":false})");
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, APluginThatDiesWhileItIsLoadedIsRefused) {
  crasher().confinement.descriptors = 3;  // not even its own libraries can be opened
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    EXPECT_EQ(test.report.refused, 1u);
    EXPECT_TRUE(absl::StrContains(test.report.refusals.at(0), "crasher.so"));
    StageOutcome other = co_await call_stage(host, "sample/echo", "2");
    EXPECT_EQ(other.status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, WithoutTheProgramItIsRefusedAndSaysSo) {
  options.placements.program = "";
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    EXPECT_EQ(test.report.refusals.at(0).substr(0, 20), "PLG-143 crasher.so: ");
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, APluginThatCrashedTheServerIsIsolatedFromThenOn) {
  crasher().placement = Placement::kAuto;
  options.placements.blamed.insert("org.example.crasher");
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    EXPECT_EQ(host.list().at(0).placement, "isolated");
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

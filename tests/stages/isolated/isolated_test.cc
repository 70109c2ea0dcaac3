// Plugins in a process of their own: what they can do there, and what they cannot.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/stages/isolated/isolated_fixture.h"

namespace fermata {
namespace {

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

TEST_F(Isolated, InTheServersOwnProcessAFloodIsCutOffToo) {
  crasher().placement = Placement::kInproc;
  options.payload_max = 1 << 20;
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    Begun flood;
    StageOutcome outcome = co_await call_observed(&host, "crasher/flood", &flood);
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kResourceExhausted) << outcome.status;
    EXPECT_FALSE(outcome.retryable);
    EXPECT_LE(flood.chunk_bytes, size_t{1} << 20);
    EXPECT_GT(flood.chunk_bytes, size_t{900000}) << "until then it was passed on";
    StageOutcome after = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(after.status, absl::OkStatus());
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

// Nobody but its tracer is told how it ended; it has ended all the same.
TEST_F(Isolated, AProcessThatIsTracedWhenItEndsIsStartedAgain) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "crasher/traced", "null");
    EXPECT_TRUE(outcome.lost) << outcome.status;
    EXPECT_TRUE(absl::StrContains(text_of(outcome), "only the process that traces it is told"))
        << text_of(outcome);
    StageOutcome after = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(after.status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, SubCallsThatWaitHoldABoundedAmountOfInput) {
  options.payload_max = 1 << 20;
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    const std::string input = absl::StrCat("\"", std::string(1'000'000, 'y'), "\"");
    StageOutcome outcome = co_await call_stage(host, "crasher/hoard", input);
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kResourceExhausted) << outcome.status;
    EXPECT_TRUE(absl::StrContains(text_of(outcome),
                                  "the sub-calls of this plugin's process hold 4000008 bytes"))
        << text_of(outcome);
    // The four that were taken were cancelled with their caller, and what they held is free again.
    outcome = co_await call_stage(host, "crasher/nest", R"("sample/echo")");
    EXPECT_EQ(outcome.status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

Co<absl::Status> hold_and_give_up(PluginHost* host) {
  struct Body {
    static Co<absl::Status> call(PluginHost* host, Begun* begun) {
      co_await call_observed(host, "crasher/hold", begun);
      begun->event.set();  // its process was dying already
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
    StageOutcome after;
    do {
      // A cancel that comes before the thread has begun takes the work back: then once more.
      absl::Status gave_up = co_await hold_and_give_up(&host);
      EXPECT_TRUE(gave_up.ok()) << gave_up;
      // A call that comes before the end of the process is a bystander.
      after = co_await call_stage(host, "crasher/echo", "1");
      EXPECT_TRUE(after.status.ok() || after.preempted) << after.status;
    } while (stats_of(host).starts < 2);
    EXPECT_GE(stats_of(host).crashes.at("cancel"), 1u);
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

// A plugin's process that dies: who is to blame, what becomes of the others, when it is started
// again, and when not.
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/stages/isolated/isolated_fixture.h"

namespace fermata {
namespace {

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
    for (const PluginHost::HealthView& plugin : host.health()) {
      EXPECT_EQ(plugin.available, plugin.short_name != "crasher") << plugin.short_name;
    }
    EXPECT_EQ(stats_of(host).breaker_open, 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, ACrashInAStageThatAStageCalledIsAStrikeAgainstTheWholeAttempt) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    // From the server's process, and from the one that dies.
    StageOutcome other = co_await call_stage(host, "sample/nest", "crasher/segv");
    EXPECT_TRUE(other.lost && other.lost_below && !other.preempted) << other.status;
    EXPECT_TRUE(other.retryable) << "both may run twice";
    EXPECT_TRUE(absl::StrContains(text_of(other), "crasher/segv crashed: SIGSEGV at 0x0"))
        << text_of(other);
    StageOutcome own = co_await call_stage(host, "crasher/nest", R"("crasher/segv")");
    EXPECT_TRUE(own.lost && !own.lost_below && !own.preempted) << own.status;
    EXPECT_TRUE(absl::StrContains(text_of(own),
                                  "crasher/nest crashed: SIGSEGV at 0x0 in crasher/segv, which it "
                                  "called, in plugin org.example.crasher 1.0.0"))
        << text_of(own);
    co_return absl::OkStatus();
  });
}

TEST_F(Isolated, ThatNoCallEverEndsWellDisablesItUntilItIsLoadedAgain) {
  options.restart = RestartLimits{/*open_ns=*/1'000'000, /*openings_max=*/2};
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    const auto disabled = [&host] {
      return absl::StrContains(host.list().at(0).process, "disabled, it crashes in a loop");
    };
    for (int i = 0; i < 1000 && !disabled(); ++i) {
      StageOutcome outcome = co_await call_stage(host, "crasher/segv", "null");
      EXPECT_FALSE(outcome.status.ok());
      // The breaker is open for a moment: whoever comes then is sent away until it is over.
      if (outcome.preempted) co_await sleep(outcome.retry_after);
    }
    EXPECT_TRUE(has_log(test,
                        "PLG-195 org.example.crasher 1.0.0: crashes in a loop, last SIGSEGV at "
                        "0x0; its stages are unavailable for 1ms, jobs wait"));
    EXPECT_TRUE(has_log(test,
                        "last SIGSEGV at 0x0; its stages are disabled, jobs wait - load another "
                        "version, or try this one again: fermata plugin reload crasher.so"));
    StageOutcome outcome = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_TRUE(outcome.preempted && !outcome.lost) << "jobs wait";
    EXPECT_TRUE(absl::StrContains(text_of(outcome),
                                  "it is disabled until fermata plugin reload crasher.so"))
        << text_of(outcome);
    FileReport again = co_await host.load_file("crasher.so", LoadReason::kAsked);
    EXPECT_EQ(again.status, absl::OkStatus());
    outcome = co_await call_stage(host, "crasher/echo", "1");
    EXPECT_EQ(outcome.status, absl::OkStatus());
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

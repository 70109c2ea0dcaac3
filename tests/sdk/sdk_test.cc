// Stages written with the SDK, in a real .so, called through the real host.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/stages/plugin_host.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class Sdk : public HostFixture {
 protected:
  Sdk() { put_plugin("sample.so", "tests/sdk/sample.so"); }
};

#define EXPECT_OUTPUT(outcome, text)                      \
  EXPECT_TRUE((outcome).status.ok()) << (outcome).status; \
  EXPECT_EQ((outcome).output.view(), text)

// Calls of a stage that run now.
uint64_t calls_of(const PluginHost& host, std::string_view stage) {
  for (const PluginHost::StageView& view : host.stage_views()) {
    if (view.info->name == stage) return view.counters->in_flight;
  }
  return 0;
}

TEST_F(Sdk, AStageThatDoesNotWaitAnswersAtOnce) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    EXPECT_EQ(test.report.loaded, 1u);
    StageOutcome outcome = co_await call_stage(host, "sample/echo", R"({"a":1})");
    EXPECT_OUTPUT(outcome, R"({"a":1})");
    EXPECT_EQ(outcome.version.substr(0, 6), "1.2.0+") << outcome.version;
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, ATaskGroupInsideAStageRunsItsTasksTogether) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "org.example.sample/group", "null");
    EXPECT_OUTPUT(outcome, "123");
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, AStagesOwnTimeoutIsADeadlineError) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "sample/timeout", "null");
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDeadlineExceeded) << outcome.status;
    EXPECT_TRUE(outcome.retryable);
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, EachStatusCodeSaysWhetherARetryCanHelp) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    const std::vector<std::pair<absl::StatusCode, bool>> table = {
        {absl::StatusCode::kCancelled, false},
        {absl::StatusCode::kUnknown, true},
        {absl::StatusCode::kInvalidArgument, false},
        {absl::StatusCode::kDeadlineExceeded, true},
        {absl::StatusCode::kNotFound, false},
        {absl::StatusCode::kAlreadyExists, false},
        {absl::StatusCode::kPermissionDenied, false},
        {absl::StatusCode::kResourceExhausted, true},
        {absl::StatusCode::kFailedPrecondition, false},
        {absl::StatusCode::kAborted, true},
        {absl::StatusCode::kOutOfRange, false},
        {absl::StatusCode::kUnimplemented, false},
        {absl::StatusCode::kInternal, false},
        {absl::StatusCode::kUnavailable, true},
        {absl::StatusCode::kDataLoss, false},
        {absl::StatusCode::kUnauthenticated, false}};
    for (const auto& [code, retryable] : table) {
      StageOutcome outcome =
          co_await call_stage(host, "sample/fail", absl::StrCat(static_cast<int>(code)));
      EXPECT_EQ(outcome.status.code(), code) << outcome.status;
      EXPECT_EQ(outcome.status.message(), "as asked");
      EXPECT_EQ(outcome.retryable, retryable) << outcome.status;
      EXPECT_EQ(outcome.retry_after, absl::Seconds(7));
    }
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, AnExceptionIsAnInternalErrorWithItsText) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome at_once = co_await call_stage(host, "sample/fail", "throw");
    EXPECT_EQ(at_once.status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(at_once.status.message().find("thrown by the stage"), absl::string_view::npos)
        << at_once.status;
    StageOutcome later = co_await call_stage(host, "sample/fail", "late throw");
    EXPECT_EQ(later.status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(later.status.message().find("thrown later"), absl::string_view::npos) << later.status;
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, OffloadedWorkRunsOnTheHostsThreads) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "sample/offload", "7");
    EXPECT_OUTPUT(outcome, "<7>");
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, CancellingACallTellsOffloadedCodeAndWaitsForIt) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    absl::StatusOr<StageOutcome> outcome = co_await timeout(
        absl::Milliseconds(20), call_stage(host, "sample/offload", "\"until cancelled\""));
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kDeadlineExceeded);
    absl::StatusOr<StageRef> stage = host.resolve("sample/offload");
    EXPECT_EQ((*stage)->counters().in_flight, 0u);
    co_return absl::OkStatus();
  });
}

class Progress : public StageObserver {
 public:
  void progress(double fraction, std::string_view note) override { notes.emplace_back(note); }
  void chunk(const Buffer& bytes) override { chunks.emplace_back(bytes.view()); }
  std::vector<std::string> notes;
  std::vector<std::string> chunks;
};

Co<StageOutcome> observe(PluginHost& host, std::string use, std::string input,
                         StageObserver& observer, absl::Duration limit) {
  absl::StatusOr<StageRef> stage = host.resolve(use);
  StageRequest request;
  request.job_id = "job-2";
  request.input = std::move(input);
  request.observer = &observer;
  request.deadline = now() + limit;
  co_return co_await host.call(*std::move(stage), std::move(request));
}

TEST_F(Sdk, CancelReachesTheInnermostAwaitAndRunsDestructors) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    Progress progress;
    absl::StatusOr<StageOutcome> outcome = co_await timeout(
        absl::Milliseconds(5),
        observe(host, "sample/forever", "null", progress, absl::InfiniteDuration()));
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(progress.notes, std::vector<std::string>{"unwound"});
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, TheRequestsDeadlineEndsTheCall) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    Progress progress;
    StageOutcome outcome =
        co_await observe(host, "sample/forever", "null", progress, absl::Milliseconds(5));
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDeadlineExceeded) << outcome.status;
    EXPECT_TRUE(outcome.retryable);
    EXPECT_EQ(progress.notes, std::vector<std::string>{"unwound"});
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, ClosingTheHostCancelsWhatStillRuns) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    absl::StatusOr<StageOutcome> outcome = absl::UnknownError("never set");
    struct Waiter {
      static Co<absl::Status> wait(PluginHost* host, absl::StatusOr<StageOutcome>* outcome) {
        *outcome = co_await call_stage(*host, "sample/forever", "null");
        co_return absl::OkStatus();
      }
      static Co<absl::Status> body(TaskGroup& group, PluginHost* host,
                                   absl::StatusOr<StageOutcome>* outcome) {
        group.spawn(wait, host, outcome);
        // Tasks start in any order; closing first would refuse the call instead of ending it.
        while (calls_of(*host, "forever") == 0) co_await yield_now();
        co_await host->close();
        co_return absl::OkStatus();
      }
    };
    absl::Status status = co_await with_group(Waiter::body, &host, &outcome);
    EXPECT_TRUE(outcome.ok()) << status;
    if (!outcome.ok()) co_return status;
    EXPECT_EQ(outcome->status.code(), absl::StatusCode::kCancelled);
    co_return status;
  });
}

TEST_F(Sdk, ChunksArriveInOrderThroughBackPressure) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    Progress progress;
    StageOutcome outcome =
        co_await observe(host, "sample/stream", "null", progress, absl::InfiniteDuration());
    EXPECT_OUTPUT(outcome, "\"end\"");
    EXPECT_EQ(progress.chunks.size(), 100u);
    for (size_t i = 0; i < progress.chunks.size(); ++i)
      EXPECT_EQ(progress.chunks[i], absl::StrCat(i));
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, AStageCallsAnotherStage) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "sample/nest", "sample/echo");
    EXPECT_OUTPUT(outcome, "[sample/echo]");
    StageOutcome missing = co_await call_stage(host, "sample/nest", "sample/nothing");
    EXPECT_EQ(missing.status.code(), absl::StatusCode::kUnimplemented) << missing.status;
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, StagesThatCallThemselvesStopAtTheDepthLimit) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "sample/nest", "sample/nest");
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInvalidArgument) << outcome.status;
    absl::StatusOr<StageRef> stage = host.resolve("sample/nest");
    EXPECT_EQ((*stage)->counters().started, 17u);
    co_return absl::OkStatus();
  });
}

Co<absl::Status> expect_served(PluginHost* host, int number) {
  StageOutcome outcome = co_await call_stage(*host, "sample/shared", absl::StrCat(number));
  EXPECT_OUTPUT(outcome, absl::StrCat("served ", number));
  co_return outcome.status;
}

Co<absl::Status> many_served(TaskGroup& group, PluginHost* host) {
  for (int i = 0; i < 20; ++i) group.spawn(expect_served, host, i);
  co_return absl::OkStatus();
}

TEST_F(Sdk, CallsEndDuringAnotherTasksEvents) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    absl::Status status = co_await with_group(many_served, &host);
    double served = 0;
    for (const PluginHost::StageView& view : host.stage_views()) {
      if (view.info->name != "shared") continue;
      served = view.metrics->all().at(0).series.begin()->second.value;
      EXPECT_EQ(view.counters->ended[0], 20u);
    }
    EXPECT_EQ(served, 20);
    co_return status;
  });
}

TEST_F(Sdk, APostFromAThreadOfThePluginsOwnWakesTheCall) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    for (int i = 0; i < 10; ++i) {
      StageOutcome outcome = co_await call_stage(host, "sample/foreign", "null");
      EXPECT_OUTPUT(outcome, "\"woken\"");
    }
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, WhoeverWaitsForADescriptorIsToldThatItWasClosed) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "sample/closes", "null");
    EXPECT_OUTPUT(outcome, "2");
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, ConfigAndInputAreCheckedAndFilledWithDefaults) {
  options.config["sample"] = R"({"extra":1})";
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, "sample/configured", R"({"name":"Ada"})");
    EXPECT_OUTPUT(outcome, R"({"extra":1,"greeting":"hello"} {"name":"Ada","mark":"!"})");
    StageOutcome wrong = co_await call_stage(host, "sample/configured", R"({"name":3})");
    EXPECT_EQ(wrong.status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(wrong.status.message().find("/name: expected string, got 3"), absl::string_view::npos)
        << wrong.status;
    EXPECT_FALSE(wrong.retryable);
    StageOutcome text = co_await call_stage(host, "sample/configured", "hello");
    EXPECT_EQ(text.status.code(), absl::StatusCode::kInvalidArgument) << text.status;
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, AWrongConfigRefusesThePlugin) {
  options.config["sample"] = R"({"greeting":3})";
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    EXPECT_EQ(test.report.loaded, 0u);
    EXPECT_EQ(test.report.refusals.size(), 1u);
    EXPECT_EQ(
        test.report.refusals.at(0),
        "PLG-150 org.example.sample/configured: config /greeting: expected string, got 3 (type) "
        "(schema of 1.2.0)");
    co_return absl::OkStatus();
  });
}

TEST_F(Sdk, AFailedCreateRefusesThePluginWithItsReason) {
  options.config["org.example.sample"] = R"({"refuse":true})";
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    EXPECT_EQ(test.report.loaded, 0u);
    EXPECT_EQ(
        test.report.refusals.at(0),
        "PLG-160 org.example.sample/configured: create() returned E_UNAVAILABLE: cannot reach "
        "cache.internal:6379");
    EXPECT_FALSE(host.resolve("sample/echo").ok());
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

#include <gtest/gtest.h>

#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class TimePlugin : public HostFixture {
 public:
  TimePlugin() { put_plugin("time.so", "plugins/time/time.so"); }
};

Co<absl::Status> gives_the_value(PluginHost& host, HostFixture&) {
  const absl::Time start = now();
  StageOutcome out =
      co_await call_stage(host, "time/delay", R"({"for":"20ms","value":{"a":[1,"x"]}})");
  EXPECT_EQ(out.output.view(), R"({"a":[1,"x"]})") << out.status;
  EXPECT_GE(now() - start, absl::Milliseconds(20));
  out = co_await call_stage(host, "time/delay", R"({"for":"0"})");
  EXPECT_EQ(out.output.view(), "null") << out.status;
  co_return absl::OkStatus();
}
TEST_F(TimePlugin, DelayGivesTheValueAfterTheTime) { run(gives_the_value); }

Co<absl::Status> refuses(PluginHost& host, HostFixture&) {
  for (const char* input : {R"({"for":"soon"})", R"({"for":5})", R"({})", R"({"for":"-1s"})",
                            R"({"for":"1s","x":1})", R"({"for":""})", "[]", "nonsense"}) {
    const StageOutcome out = co_await call_stage(host, "time/delay", input);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << input;
    EXPECT_FALSE(out.retryable) << input;
  }
  co_return absl::OkStatus();
}
TEST_F(TimePlugin, WrongInputIsRefusedAtOnce) { run(refuses); }

Co<absl::Status> cancel_delay(TaskGroup& group, PluginHost* host) {
  const Task<StageOutcome> task =
      group.spawn(call_stage, std::ref(*host), "time/delay", R"({"for":"24h"})");
  for (int i = 0; i < 10; ++i) co_await yield_now();
  EXPECT_FALSE(task.done());
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_return absl::OkStatus();
}
Co<absl::Status> cancels(PluginHost& host, HostFixture&) {
  co_return co_await with_group(cancel_delay, &host);
}
TEST_F(TimePlugin, CancelEndsTheDelay) { run(cancels); }

Co<absl::Status> meets_its_deadline(PluginHost& host, HostFixture&) {
  StageRequest request;
  request.job_id = "job";
  request.deadline = now() + absl::Milliseconds(20);
  request.input = R"({"for":"24h"})";
  StageRef stage = *host.resolve("time/delay");
  const StageOutcome out = co_await host.call(std::move(stage), std::move(request));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kDeadlineExceeded) << out.status;
  co_return absl::OkStatus();
}
TEST_F(TimePlugin, TheDeadlineEndsTheDelay) { run(meets_its_deadline); }

}  // namespace
}  // namespace fermata

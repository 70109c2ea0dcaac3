#include <gtest/gtest.h>
#include <stdlib.h>

#include <utility>

#include "services/config/json.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class JqPlugin : public HostFixture {
 public:
  JqPlugin() { put_plugin("jq.so", "plugins/jq/jq.so"); }
};

Co<StageOutcome> ask(PluginHost& host, std::string program, std::string more = "") {
  co_return co_await call_stage(host, "jq/run",
                                R"({"program":)" + json_quote(program) + more + "}");
}
std::string text_of(const StageOutcome& out) {
  return out.status.ok() ? std::string(out.output.view()) : std::string(out.status.message());
}

Co<absl::Status> runs(PluginHost& host, HostFixture&) {
  const std::string more =
      R"(,"input":{"a":[{"n":1,"s":"x"},{"n":2,"s":"é"}]},"variables":{"k":10})";
  StageOutcome out = co_await ask(host, ".a[] | {s, m: (.n * $vars.k)}", more);
  EXPECT_EQ(text_of(out), R"({"results":[{"s":"x","m":10},{"s":"é","m":20}],"count":2})");
  out = co_await ask(host, "empty");
  EXPECT_EQ(text_of(out), R"({"results":[],"count":0})");
  out = co_await ask(host, "def twice(f): f | f; 3 | twice(. * .)");
  EXPECT_EQ(text_of(out), R"({"results":[81],"count":1})");
  for (int i = 0; i < 3; ++i) {
    out = co_await ask(host, "[.[] | test(\"^a\")]", R"(,"input":["ab","b"])");
    EXPECT_EQ(text_of(out), R"({"results":[[true,false]],"count":1})") << "a kept program";
  }
  co_return absl::OkStatus();
}
TEST_F(JqPlugin, ProgramsGiveTheirResults) { run(runs); }

Co<absl::Status> complains(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, ".a |");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(out.retryable);
  EXPECT_NE(text_of(out).find("syntax error"), std::string::npos) << out.status;
  EXPECT_EQ(text_of(out).find("def env"), std::string::npos) << "nothing of the prelude is shown";
  out = co_await ask(host, ".a", R"(,"input":[1])");
  EXPECT_EQ(text_of(out), "jq: Cannot index array with string \"a\"");
  EXPECT_FALSE(out.retryable);
  out = co_await ask(host, "error({a: 1})");
  EXPECT_EQ(text_of(out), R"(jq: {"a":1})");
  out = co_await ask(host, "1");
  EXPECT_TRUE(out.status.ok()) << out.status;
  co_return absl::OkStatus();
}
TEST_F(JqPlugin, WhatIsWrongIsSaidInJqsWords) { run(complains); }

// What a stranger's program might try.
Co<absl::Status> stays_inside(PluginHost& host, HostFixture&) {
  for (const char* program : {"env", "$ENV", "[inputs]", "def f: env; f", "input_filename"}) {
    const StageOutcome out = co_await ask(host, program);
    EXPECT_TRUE(out.status.ok()) << program << out.status;
    EXPECT_EQ(text_of(out).find("my-secret"), std::string::npos) << program;
  }
  for (const char* program :
       {"import \"a\" as $a; $a", "include \"a\"; 1", "\"a\" | modulemeta", "input", "halt",
        "halt_error", "\"x\" | halt_error(1)", "1) , (2", "$__prog_args"}) {
    const StageOutcome out = co_await ask(host, program);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << program << out.status;
  }
  const StageOutcome out = co_await ask(host, "\"quiet\" | debug | stderr");
  EXPECT_EQ(text_of(out), R"({"results":["quiet"],"count":1})");
  co_return absl::OkStatus();
}
TEST_F(JqPlugin, ProgramsReachNothingOutside) {
  ASSERT_EQ(::setenv("FERMATA_TEST_SECRET", "my-secret", 1), 0);
  run(stays_inside);
  ::unsetenv("FERMATA_TEST_SECRET");
}

Co<absl::Status> is_bounded(PluginHost& host, HostFixture&) {
  for (const char* program : {"def f: f; f", "last(repeat(1))", "[repeat(1)] | length",
                              "reduce range(1e12) as $i (0; . + 1)", "repeat(1) | empty"}) {
    const StageOutcome out = co_await ask(host, program, R"(,"timeout":"40ms")");
    EXPECT_EQ(out.status.code(), absl::StatusCode::kDeadlineExceeded) << program << out.status;
    EXPECT_EQ(text_of(out), "jq: not done after 40ms (timeout); the program was stopped");
  }
  StageOutcome out = co_await ask(host, "repeat(1)");
  EXPECT_EQ(text_of(out), "jq: more than 100 results (max_results)");
  EXPECT_FALSE(out.retryable);
  out = co_await ask(host, "\"x\" * 500, \"y\" * 600");
  EXPECT_EQ(text_of(out), "jq: the results are larger than 1KiB (max_bytes)");
  EXPECT_FALSE(out.retryable);
  out = co_await ask(host, "1", R"(,"timeout":"1h")");
  EXPECT_NE(text_of(out).find("the limit is 5s (max_time)"), std::string::npos) << out.status;
  co_return absl::OkStatus();
}
TEST_F(JqPlugin, TimeResultsAndBytesHaveLimits) {
  options.config["jq"] = R"({"max_results":100,"max_bytes":"1KiB"})";
  run(is_bounded);
}

Co<absl::Status> cancel_loop(TaskGroup& group, PluginHost& host) {
  const Task<StageOutcome> task =
      group.spawn(ask, std::ref(host), "def f: f; f", R"(,"timeout":"5s")");
  co_await yield_now();  // it has begun, and has the only slot
  StageOutcome out = co_await ask(host, "1");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kResourceExhausted) << out.status;
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  out = co_await ask(host, "1");
  EXPECT_TRUE(out.status.ok()) << out.status;
  co_return absl::OkStatus();
}
Co<absl::Status> cancels(PluginHost& host, HostFixture&) {
  const absl::Time begin = now();
  const absl::Status status = co_await with_group(cancel_loop, host);
  EXPECT_LT(now() - begin, absl::Seconds(4)) << "it waited for the timeout";
  co_return status;
}
TEST_F(JqPlugin, CancelStopsAnEndlessProgram) {
  options.config["jq"] = R"({"max_runs":1,"max_waiting":0})";
  run(cancels);
}

}  // namespace
}  // namespace fermata

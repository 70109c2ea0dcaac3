#include <gtest/gtest.h>

#include "services/config/json.h"
#include "tests/plugins/http/test_server.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

using http::TestServer;

struct Setting {
  PluginHost* host;
  TestServer server;

  std::string input(std::string_view path, const std::string& more = "") const {
    return R"({"url":)" + json_quote(server.url(path)) + more + "}";
  }
};

using SettingTest = Co<void> (*)(Setting*);

Co<absl::Status> serve_for(TaskGroup& group, Setting* setting, SettingTest test) {
  (void)group.spawn(TestServer::serve, &setting->server);
  co_await test(setting);
  group.cancel();
  co_return absl::OkStatus();
}

template <SettingTest kTest>
Co<absl::Status> with_server(PluginHost& host, HostFixture&) {
  Setting setting{&host, {}};
  const SettingTest test = kTest;
  co_return co_await with_group(serve_for, &setting, test);
}

class HttpPlugin : public HostFixture {
 public:
  HttpPlugin() { put_plugin("http.so", "plugins/http/http.so"); }
};

Co<void> gets(Setting* at) {
  const StageOutcome out = co_await call_stage(*at->host, "http/get", at->input("/ok"));
  EXPECT_TRUE(out.status.ok()) << out.status;
  absl::StatusOr<JsonDocument> json = parse_json(out.output.view());
  EXPECT_TRUE(json.ok()) << json.status();
  if (!json.ok()) co_return;
  EXPECT_EQ((*json)["status"].GetInt(), 200);
  EXPECT_EQ((*json)["body"], "hello");
  EXPECT_EQ((*json)["headers"]["content-type"], "text/plain");
  EXPECT_EQ((*json)["url"], at->server.url("/ok"));
}
TEST_F(HttpPlugin, Gets) { run(with_server<gets>); }

Co<void> requests(Setting* at) {
  const std::string more = R"(,"method":"POST","json":{"a":1},"headers":{"X-A":"b"})";
  const StageOutcome out = co_await call_stage(*at->host, "http/request", at->input("/echo", more));
  EXPECT_TRUE(out.status.ok()) << out.status;
  const std::string& head = at->server.heads.front();
  EXPECT_TRUE(head.starts_with("POST /echo HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("\r\nX-A: b\r\n"), std::string::npos) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n{\"a\":1}")) << head;
}
TEST_F(HttpPlugin, Requests) { run(with_server<requests>); }

Co<void> judges(Setting* at) {
  StageOutcome out = co_await call_stage(*at->host, "http/get", at->input("/status/404"));
  EXPECT_FALSE(out.status.ok());
  EXPECT_FALSE(out.retryable);
  EXPECT_NE(out.status.message().find("404 Not Found: because"), absl::string_view::npos);
  for (const char* path : {"/status/503", "/status/429"}) {
    out = co_await call_stage(*at->host, "http/get", at->input(path));
    EXPECT_FALSE(out.status.ok());
    EXPECT_TRUE(out.retryable) << path;
    EXPECT_EQ(out.retry_after, absl::Seconds(7)) << path;
  }
  out = co_await call_stage(*at->host, "http/get", at->input("/status/500", R"(,"expect":"any")"));
  EXPECT_TRUE(out.status.ok()) << out.status;
  out = co_await call_stage(*at->host, "http/get", at->input("/short"));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(out.retryable);
  EXPECT_EQ(out.retry_after, absl::ZeroDuration());
}
TEST_F(HttpPlugin, ErrorsSayWhetherToTryAgainAndWhen) { run(with_server<judges>); }

Co<void> renders_large(Setting* at) {
  const StageOutcome out = co_await call_stage(*at->host, "http/get", at->input("/bytes/1000000"));
  EXPECT_TRUE(out.status.ok()) << out.status;
  absl::StatusOr<JsonDocument> json = parse_json(out.output.view());
  EXPECT_TRUE(json.ok()) << json.status();
  if (json.ok()) {
    EXPECT_EQ((*json)["body"].GetStringLength(), 1'000'000u);
  }
}
TEST_F(HttpPlugin, LargeBodiesArrive) { run(with_server<renders_large>); }

Co<absl::Status> cancel_get(TaskGroup& group, Setting* at) {
  const Task<StageOutcome> task =
      group.spawn(call_stage, std::ref(*at->host), "http/get", at->input("/slow"));
  co_await at->server.stuck.wait();
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_await at->server.hung_up.wait();
  EXPECT_EQ(at->server.open, 0);
  co_return absl::OkStatus();
}
Co<void> cancels(Setting* at) {
  const absl::Status status = co_await with_group(cancel_get, at);
  EXPECT_TRUE(status.ok()) << status;
}
TEST_F(HttpPlugin, CancelClosesTheConnection) { run(with_server<cancels>); }

Co<void> meets_its_deadline(Setting* at) {
  StageRequest request;
  request.job_id = "job";
  request.deadline = now() + absl::Milliseconds(30);
  request.input = at->input("/hang");
  StageRef stage = *at->host->resolve("http/get");
  const StageOutcome out = co_await at->host->call(std::move(stage), std::move(request));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kDeadlineExceeded) << out.status;
  co_await at->server.hung_up.wait();
}
TEST_F(HttpPlugin, TheDeadlineClosesTheConnection) { run(with_server<meets_its_deadline>); }

Co<void> count_ok(Setting* at, int* count) {
  const StageOutcome out = co_await call_stage(*at->host, "http/get", at->input("/ok"));
  *count += out.status.ok() ? 1 : 0;
}
Co<absl::Status> get_many(TaskGroup& group, Setting* at, int* count) {
  for (int i = 0; i < 200; ++i) (void)group.spawn(count_ok, at, count);
  co_return absl::OkStatus();
}
Co<void> shares_connections(Setting* at) {
  int count = 0;
  const absl::Status status = co_await with_group(get_many, at, &count);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(count, 200);
  EXPECT_LE(at->server.accepted, 8);
}
TEST_F(HttpPlugin, TwoHundredCallsShareEightConnections) {
  options.config["http"] = R"({"max_connections_per_host":8})";
  run(with_server<shares_connections>);
}

Co<void> leaves_one_open(Setting* at) {
  const StageOutcome out = co_await call_stage(*at->host, "http/get", at->input("/ok"));
  EXPECT_TRUE(out.status.ok()) << out.status;
  EXPECT_EQ(at->server.open, 1) << "kept for the next call, and closed with the plugin";
}
TEST_F(HttpPlugin, ClosesWithAnIdleConnection) { run(with_server<leaves_one_open>); }

Co<void> refuses(Setting* at) {
  for (const char* input :
       {R"({})", R"({"url":""})", R"({"url":"file:///etc/passwd"})", R"({"url":"http://h/","x":1})",
        R"({"url":"http://h/","headers":{"A":"b\r\nc"}})", R"({"url":"http://h/","timeout":5})",
        R"({"url":"http://h/","method":"PUT"})"}) {
    const StageOutcome out = co_await call_stage(*at->host, "http/get", input);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << input << out.status;
    EXPECT_FALSE(out.retryable);
  }
}
TEST_F(HttpPlugin, WrongInputIsRefused) { run(with_server<refuses>); }

Co<absl::Status> nothing(PluginHost& host, HostFixture& test) {
  const StageOutcome out =
      co_await call_stage(host, "http/get", R"({"url":"http://127.0.0.1:1/"})");
  EXPECT_FALSE(out.status.ok());
  EXPECT_FALSE(out.retryable);
  EXPECT_NE(out.status.message().find("may not connect"), absl::string_view::npos) << out.status;
  co_return absl::OkStatus();
}
TEST_F(HttpPlugin, PrivateAddressesCanBeDenied) {
  options.config["http"] = R"({"private_networks":"deny"})";
  run(nothing);
}

}  // namespace
}  // namespace fermata

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/async/async.h"
#include "services/config/json.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

// What the test's thread sees of a call that hangs.
struct Hanging {
  Loop* loop = nullptr;  // where to say so
  Event begun;
  Event cancelled;
};

// One call: reads the message, then does what the method is called.
class Reactor final : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(grpc::GenericCallbackServerContext& context, Hanging& hanging)
      : context_(context), hanging_(hanging), method_(context.method()) {
    StartRead(&message_);
  }
  void OnReadDone(bool ok) override {
    if (method_ == "/test.Test/Hang") {
      Hanging* hanging = &hanging_;
      return hanging_.loop->post([hanging] { hanging->begun.set(); });
    }
    if (!ok) return Finish(grpc::Status(grpc::INVALID_ARGUMENT, "no message"));
    if (method_ == "/test.Test/Busy") {
      context_.AddTrailingMetadata("grpc-retry-pushback-ms", "7000");
      return Finish(grpc::Status(grpc::UNAVAILABLE, "busy"));
    }
    if (method_ != "/test.Test/Echo") {
      return Finish(grpc::Status(grpc::UNIMPLEMENTED, "no such method"));
    }
    for (const auto& [name, value] : context_.client_metadata()) {
      if (!name.starts_with("x-")) continue;
      context_.AddInitialMetadata(std::string(name.data(), name.size()),
                                  std::string(value.data(), value.size()));
    }
    context_.AddTrailingMetadata("x-end", "yes");
    StartWriteAndFinish(&message_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void OnCancel() override {
    if (method_ != "/test.Test/Hang") return;
    Hanging* hanging = &hanging_;
    hanging_.loop->post([hanging] { hanging->cancelled.set(); });
    Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  grpc::GenericCallbackServerContext& context_;
  Hanging& hanging_;
  const std::string method_;
  grpc::ByteBuffer message_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Hanging& hanging) : hanging_(hanging) {}
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Reactor(*context, hanging_);
  }

 private:
  Hanging& hanging_;
};

class GrpcPlugin : public HostFixture {
 public:
  GrpcPlugin() : service_(hanging) {
    put_plugin("grpc.so", "plugins/grpc/grpc.so");
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    configure();
  }
  ~GrpcPlugin() override { server_->Shutdown(); }
  void configure(const std::string& more = "") {
    options.config["grpc"] =
        absl::StrCat(R"({"targets":{"test":{"tls":false,"address":"127.0.0.1:)", port_,
                     R"("},"tls":{"address":"127.0.0.1:)", port_,
                     R"("},"gone":{"tls":false,"address":"127.0.0.1:1"}})", more, "}");
  }
  Hanging hanging;

 private:
  Service service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

Co<StageOutcome> ask(PluginHost& host, std::string method, std::string message,
                     std::string more = "") {
  const std::string base64 = absl::Base64Escape(message);
  const std::string target =
      more.find("\"target\"") == std::string::npos ? R"(,"target":"test")" : "";
  co_return co_await call_stage(
      host, "grpc/call",
      absl::StrCat(R"({"method":)", json_quote(method), R"(,"message_base64":")", base64, "\"",
                   target, more, "}"));
}
std::string text_of(const StageOutcome& out) {
  return out.status.ok() ? std::string(out.output.view()) : std::string(out.status.message());
}
bool says(const StageOutcome& out, std::string_view text) {
  return text_of(out).find(text) != std::string::npos;
}

Co<absl::Status> echoes(PluginHost& host, HostFixture&) {
  const std::string bytes("\x08\x96\x01\x00\xff", 5);
  StageOutcome out =
      co_await ask(host, "/test.Test/Echo", bytes, R"(,"metadata":{"x-a":"b","x-c-bin":"/wA="})");
  EXPECT_TRUE(out.status.ok()) << out.status;
  EXPECT_TRUE(says(out, R"({"message_base64":")" + absl::Base64Escape(bytes) + "\""))
      << text_of(out);
  EXPECT_TRUE(says(out, R"("metadata":{"x-a":"b","x-c-bin":"/wA="})")) << text_of(out);
  EXPECT_TRUE(says(out, R"("trailers":{"x-end":"yes"})")) << text_of(out);
  out = co_await ask(host, "/test.Test/Echo", "");
  EXPECT_TRUE(says(out, R"({"message_base64":"")")) << text_of(out);
  const std::string much(1'000'000, 'x');
  out = co_await ask(host, "/test.Test/Echo", much);
  EXPECT_TRUE(says(out, absl::Base64Escape(much))) << out.status;
  co_return absl::OkStatus();
}
TEST_F(GrpcPlugin, BytesAndMetadataGoBothWays) { run(echoes); }

Co<absl::Status> judges(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, "/test.Test/None", "");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(out.retryable);
  EXPECT_EQ(text_of(out), "grpc test/test.Test/None: UNIMPLEMENTED: no such method");
  out = co_await ask(host, "/test.Test/Busy", "");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(out.retryable);
  EXPECT_EQ(out.retry_after, absl::Seconds(7));
  out = co_await ask(host, "/test.Test/Echo", "", R"(,"target":"gone")");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  EXPECT_TRUE(out.retryable);
  out = co_await ask(host, "/test.Test/Echo", "", R"(,"target":"tls","timeout":"2s")");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  out = co_await ask(host, "/test.Test/Echo", std::string(1500, 'x'));
  EXPECT_TRUE(says(out, "the limit is 1KiB (max_message)")) << out.status;
  EXPECT_FALSE(out.retryable);
  co_return absl::OkStatus();
}
TEST_F(GrpcPlugin, TheServersStatusSaysWhetherToTryAgain) {
  configure(R"(,"max_message":"1KiB")");
  run(judges);
}

Co<absl::Status> times_out(PluginHost& host, HostFixture& test) {
  Hanging& hanging = static_cast<GrpcPlugin&>(test).hanging;
  hanging.loop = &Loop::current();
  const StageOutcome out = co_await ask(host, "/test.Test/Hang", "", R"(,"timeout":"100ms")");
  EXPECT_EQ(text_of(out), "grpc test/test.Test/Hang: not done after 100ms (timeout)");
  EXPECT_TRUE(out.retryable);
  co_await hanging.cancelled.wait();
  co_return absl::OkStatus();
}
TEST_F(GrpcPlugin, TheServerIsToldTheDeadline) { run(times_out); }

Co<absl::Status> cancel_call(TaskGroup& group, PluginHost& host, Hanging& hanging) {
  const Task<StageOutcome> task = group.spawn(ask, std::ref(host), "/test.Test/Hang", "", "");
  co_await hanging.begun.wait();
  const StageOutcome out = co_await ask(host, "/test.Test/Echo", "");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kResourceExhausted) << out.status;
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_await hanging.cancelled.wait();
  co_return absl::OkStatus();
}
Co<absl::Status> cancels(PluginHost& host, HostFixture& test) {
  Hanging& hanging = static_cast<GrpcPlugin&>(test).hanging;
  hanging.loop = &Loop::current();
  co_return co_await with_group(cancel_call, host, hanging);
}
TEST_F(GrpcPlugin, CancelEndsTheCallAndTellsTheServer) {
  configure(R"(,"max_calls":1,"max_waiting":0)");
  run(cancels);
}

Co<absl::Status> refuses(PluginHost& host, HostFixture&) {
  for (const char* more : {R"(,"target":"other")", R"(,"metadata":{"X-Upper":"a"})",
                           R"(,"metadata":{"grpc-status":"0"})", R"(,"metadata":{":path":"/x"})",
                           R"(,"metadata":{"x-a":"b\r\nx-c: d"})", R"(,"metadata":{"x-a":"é"})",
                           R"(,"metadata":{"x-bin":"not base64"})", R"(,"metadata":{"":"a"})",
                           R"(,"metadata":{"te":"a"})"}) {
    const StageOutcome out = co_await ask(host, "/test.Test/Echo", "", more);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << more << out.status;
    EXPECT_FALSE(out.retryable);
  }
  for (const char* method : {"test.Test/Echo", "/test.Test/", "/Echo", "/a b/C", "/a\n/C"}) {
    const StageOutcome out = co_await ask(host, method, "");
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << method << out.status;
  }
  co_return absl::OkStatus();
}
TEST_F(GrpcPlugin, WhatHttp2CannotCarryIsRefused) { run(refuses); }

Co<absl::Status> has_no_target(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await ask(host, "/a/b", "");
  EXPECT_TRUE(says(out, "set plugins.config.grpc.targets")) << out.status;
  co_return absl::OkStatus();
}
TEST_F(GrpcPlugin, NothingCanBeCalledUntilItIsConfigured) {
  options.config.erase("grpc");
  run(has_no_target);
}

}  // namespace
}  // namespace fermata

#include <gtest/gtest.h>

#include <utility>

#include "services/config/json.h"
#include "tests/plugins/s3/server.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

using s3::Server;
using s3::SignedRequest;

// The examples that Amazon publishes with the specification ("Signature Calculations for the
// Authorization Header"): what checks libcurl below is right itself.
TEST(Signature, IsWhatAmazonPublishes) {
  const std::string secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const std::string scope = "20130524/us-east-1/s3/aws4_request";
  SignedRequest get;
  get.method = "GET";
  get.path = "/test.txt";
  get.headers = {
      {"host", "examplebucket.s3.amazonaws.com"},
      {"range", "bytes=0-9"},
      {"x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"x-amz-date", "20130524T000000Z"}};
  EXPECT_EQ(s3::signature(get, "host;range;x-amz-content-sha256;x-amz-date", scope, secret),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  SignedRequest put;
  put.method = "PUT";
  put.path = "/test%24file.text";
  put.headers = {
      {"date", "Fri, 24 May 2013 00:00:00 GMT"},
      {"host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
      {"x-amz-date", "20130524T000000Z"},
      {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  EXPECT_EQ(s3::signature(put, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                          scope, secret),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

class S3Plugin : public HostFixture {
 public:
  S3Plugin() {
    put_plugin("s3.so", "plugins/s3/s3.so");
    configure();
  }
  void configure(const std::string& more = "", const std::string& secret = Server::kSecretKey) {
    options.config["s3"] = R"({"region":"eu-test-1","access_key":"AKIDEXAMPLE","secret_key":)" +
                           json_quote(secret) + R"(,"endpoint":)" + json_quote(server.endpoint()) +
                           more + "}";
  }
  Server server;
};

using Body = Co<void> (*)(PluginHost& host, Server& server);
Co<absl::Status> serve_for(TaskGroup& group, PluginHost& host, Server& server, Body body) {
  (void)group.spawn(Server::serve, &server);
  co_await body(host, server);
  group.cancel();
  co_return absl::OkStatus();
}
template <Body kBody>
Co<absl::Status> with_server(PluginHost& host, HostFixture& test) {
  Server& server = static_cast<S3Plugin&>(test).server;
  const Body body = kBody;
  co_return co_await with_group(serve_for, host, server, body);
}

Co<StageOutcome> put(PluginHost& host, std::string key, std::string more) {
  co_return co_await call_stage(host, "s3/put",
                                R"({"bucket":"bucket","key":)" + json_quote(key) + more + "}");
}
Co<StageOutcome> get(PluginHost& host, std::string key, std::string more = "") {
  co_return co_await call_stage(host, "s3/get",
                                R"({"bucket":"bucket","key":)" + json_quote(key) + more + "}");
}
std::string text_of(const StageOutcome& out) {
  return out.status.ok() ? std::string(out.output.view()) : std::string(out.status.message());
}

Co<void> stores(PluginHost& host, Server& server) {
  StageOutcome out = co_await put(host, "a b/ü+$&@='(~).txt", R"(,"content":"héllo")");
  EXPECT_TRUE(out.status.ok()) << out.status << server.complaint;
  EXPECT_TRUE(text_of(out).starts_with(
      R"({"bucket":"bucket","key":"a b/ü+$&@='(~).txt","bytes":6,"etag":"\"put\"","version_id":null,)"))
      << text_of(out);
  EXPECT_TRUE(server.objects.contains("/bucket/a%20b/%C3%BC%2B%24%26%40%3D%27%28~%29.txt"))
      << server.objects.begin()->first;
  out = co_await get(host, "a b/ü+$&@='(~).txt");
  EXPECT_NE(text_of(out).find(
                R"("etag":"\"got\"","version_id":null,"content_type":"text/plain; charset=utf-8")"),
            std::string::npos)
      << text_of(out);
  EXPECT_NE(text_of(out).find(R"("content":"héllo")"), std::string::npos) << text_of(out);
  out = co_await put(host, "j", R"(,"json":{"a":[1]},"metadata":{"Owner":"me"})");
  EXPECT_TRUE(out.status.ok()) << out.status << server.complaint;
  EXPECT_EQ(server.objects.at("/bucket/j").body, R"({"a":[1]})");
  EXPECT_EQ(server.objects.at("/bucket/j").headers.at("content-type"), "application/json");
  EXPECT_EQ(server.objects.at("/bucket/j").headers.at("x-amz-meta-owner"), "me");
  out = co_await put(host, "b", R"(,"content_base64":"/wA=")");
  out = co_await get(host, "b");
  EXPECT_NE(text_of(out).find(R"("bytes":2,)"), std::string::npos) << text_of(out);
  EXPECT_NE(text_of(out).find(R"("content_base64":"/wA=")"), std::string::npos) << text_of(out);
  out = co_await get(host, "b", R"(,"read":"text")");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << out.status;
  out = co_await put(host, "empty", R"(,"content":"")");
  EXPECT_TRUE(out.status.ok()) << out.status << server.complaint;
}
TEST_F(S3Plugin, WhatIsPutCanBeGot) { run(with_server<stores>); }

Co<void> signs_token(PluginHost& host, Server& server) {
  StageOutcome out = co_await put(host, "k", R"(,"content":"x","create":true)");
  EXPECT_TRUE(out.status.ok()) << out.status << server.complaint;
  EXPECT_EQ(server.objects.at("/bucket/k").headers.at("x-amz-security-token"), "TOKEN/+=");
  out = co_await put(host, "k", R"(,"content":"y","create":true)");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kAlreadyExists) << out.status;
  EXPECT_FALSE(out.retryable);
  EXPECT_EQ(server.objects.at("/bucket/k").body, "x");
}
TEST_F(S3Plugin, SessionTokensAndConditionsAreSigned) {
  configure(R"(,"session_token":"TOKEN/+=")");
  run(with_server<signs_token>);
}

Co<void> carries_much(PluginHost& host, Server& server) {
  const std::string much(1'000'000, 'x');
  StageOutcome out = co_await put(host, "much", R"(,"content":)" + json_quote(much));
  EXPECT_TRUE(out.status.ok()) << out.status << server.complaint;
  out = co_await get(host, "much");
  EXPECT_NE(text_of(out).find(much), std::string::npos) << out.status;
  out = co_await get(host, "much", R"(,"max_bytes":"1KiB")");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(text_of(out), "s3 get bucket/much: the object is larger than 1KiB (max_bytes)");
  EXPECT_FALSE(out.retryable);
}
TEST_F(S3Plugin, LargeObjectsArriveUpToTheLimit) { run(with_server<carries_much>); }

Co<void> judges(PluginHost& host, Server& server) {
  StageOutcome out = co_await get(host, "none");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(out.retryable);
  EXPECT_EQ(text_of(out), "s3 get bucket/none: status 404, expected 200: NoSuchKey: no such key");
  server.answer =
      "HTTP/1.1 503 Slow Down\r\nContent-Length: 29\r\n\r\n<Error><Code>SlowDown</Code>";
  server.answer += "<";
  out = co_await get(host, "k");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  EXPECT_TRUE(out.retryable);
  server.answer =
      "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
  out = co_await get(host, "k");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kFailedPrecondition) << out.status;
  EXPECT_FALSE(out.retryable);
}
TEST_F(S3Plugin, ErrorsSayWhetherToTryAgain) { run(with_server<judges>); }

Co<void> is_refused(PluginHost& host, Server& server) {
  const StageOutcome out = co_await get(host, "k");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kPermissionDenied) << out.status;
  EXPECT_EQ(server.complaint, "another signature");
  EXPECT_EQ(text_of(out).find("wrong-one"), std::string::npos) << out.status;
}
TEST_F(S3Plugin, AWrongKeyIsRefusedAndNeverShown) {
  configure("", "wrong-one");
  run(with_server<is_refused>);
}

Co<absl::Status> cancel_get(TaskGroup& group, PluginHost& host, Server& server) {
  const Task<StageOutcome> task = group.spawn(get, std::ref(host), "stuck", "");
  co_await server.stuck.wait();
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_await server.hung_up.wait();
  co_return absl::OkStatus();
}
Co<void> cancels(PluginHost& host, Server& server) {
  const absl::Status status = co_await with_group(cancel_get, host, server);
  EXPECT_TRUE(status.ok()) << status;
}
TEST_F(S3Plugin, CancelClosesTheConnectionAtOnce) { run(with_server<cancels>); }

Co<void> times_out(PluginHost& host, Server& server) {
  const StageOutcome out = co_await get(host, "stuck", R"(,"timeout":"50ms")");
  EXPECT_EQ(text_of(out), "s3 get bucket/stuck: not done after 50ms (timeout)");
  EXPECT_TRUE(out.retryable);
  co_await server.hung_up.wait();
}
TEST_F(S3Plugin, TheTimeoutClosesTheConnection) { run(with_server<times_out>); }

Co<void> refuses(PluginHost& host, Server& server) {
  for (
      const char* input :
      {R"({"bucket":"other","key":"k","content":""})",
       R"({"bucket":"b/../x","key":"k","content":""})",
       R"({"bucket":"bucket","key":"../other/k","content":""})", R"({"bucket":"bucket","key":"k"})",
       R"({"bucket":"bucket","key":"k","content":"","json":1})",
       R"({"bucket":"bucket","key":"k","content":"","content_type":"a\r\nx-amz-acl: public-read"})",
       R"({"bucket":"bucket","key":"k","content":"","metadata":{"a":"b\nc"}})",
       R"({"bucket":"bucket","key":"k","content":"","metadata":{"a: b":"c"}})"}) {
    const StageOutcome out = co_await call_stage(host, "s3/put", input);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << input << out.status;
    EXPECT_FALSE(out.retryable);
  }
  EXPECT_EQ(server.requests, 0);
}
TEST_F(S3Plugin, WrongInputIsRefused) {
  configure(R"(,"buckets":["bucket"])");
  run(with_server<refuses>);
}

}  // namespace
}  // namespace fermata

#include <stdlib.h>

#include "absl/strings/escaping.h"
#include "tests/plugins/http/client_env.h"

namespace fermata::http {
namespace {

Co<void> gets_a_body(Env* env) {
  const Request request = env->request("/ok");
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) co_return;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hello");
  EXPECT_EQ(response->header("content-type"), "text/plain");
  EXPECT_EQ(response->url, env->server.url("/ok"));
  EXPECT_EQ(response->redirects, 0);
}
TEST(Client, GetsABody) { run_test(gets_a_body); }

Co<void> reuses_its_connection(Env* env) {
  for (int i = 0; i < 5; ++i) {
    const std::string body = co_await get(env, "/ok");
    EXPECT_EQ(body, "hello");
  }
  EXPECT_EQ(env->server.accepted, 1);
  EXPECT_EQ(env->server.heads.size(), 5u);
}
TEST(Client, ReusesItsConnection) { run_test(reuses_its_connection); }

Co<void> count_hello(Env* env, int* count) {
  const std::string body = co_await get(env, "/ok");
  *count += body == "hello" ? 1 : 0;
}
Co<void> get_many(TaskGroup& group, Env* env, int* count) {
  for (int i = 0; i < 200; ++i) (void)group.spawn(count_hello, env, count);
  co_return;
}
Co<void> shares_few_connections(Env* env) {
  int count = 0;
  const absl::Status status = co_await with_group(get_many, env, &count);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(count, 200);
  EXPECT_LE(env->server.open_max, 20);
  EXPECT_LE(env->server.accepted, 20);
}
TEST(Client, TwoHundredAtOnceShareTheConnectionsTheyMay) {
  run_test(shares_few_connections, R"({"max_connections_per_host":20})");
}
TEST(Client, TheTotalOfConnectionsIsALimitToo) {
  run_test(shares_few_connections, R"({"max_connections":20})");
}

Co<void> reads_every_framing(Env* env) {
  std::string body = co_await get(env, "/chunked");
  EXPECT_EQ(body, "onetwo");
  body = co_await get(env, "/gzip");
  EXPECT_EQ(body, "ok");
  body = co_await get(env, "/bytes/200000");
  EXPECT_EQ(body, std::string(200000, 'x'));
  body = co_await get(env, "/bytes/0");
  EXPECT_EQ(body, "");
}
TEST(Client, ReadsEveryFraming) { run_test(reads_every_framing); }

Co<void> sends_what_it_is_told(Env* env) {
  Request request = env->request("/echo");
  request.method = "PUT";
  request.has_body = true;
  request.body = std::string("a\0b", 3);
  request.headers = {"X-One: 1", "X-Empty;"};
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_TRUE(response.ok()) << response.status();
  const std::string& head = env->server.heads.front();
  EXPECT_TRUE(head.starts_with("PUT /echo HTTP/1.1\r\n")) << head;
  for (const char* line : {"\r\nX-One: 1\r\n", "\r\nX-Empty:\r\n", "\r\nContent-Length: 3\r\n",
                           "\r\nUser-Agent: tester\r\n", "\r\nAccept-Encoding: "}) {
    EXPECT_NE(head.find(line), std::string::npos) << line << " in " << head;
  }
  EXPECT_EQ(head.find("Expect:"), std::string::npos);
  EXPECT_TRUE(head.ends_with(std::string("\r\n\r\na\0b", 7)));
}
TEST(Client, SendsWhatItIsTold) { run_test(sends_what_it_is_told, R"({"user_agent":"tester"})"); }

Co<void> sends_methods_without_a_body(Env* env) {
  for (const char* method : {"HEAD", "DELETE", "POST", "OPTIONS"}) {
    Request request = env->request("/ok");
    request.method = method;
    const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
    EXPECT_TRUE(response.ok()) << method << response.status();
    EXPECT_TRUE(env->server.heads.back().starts_with(std::string(method) + " /ok "));
  }
  EXPECT_EQ(env->server.accepted, 1);
}
TEST(Client, SendsMethodsWithoutABody) { run_test(sends_methods_without_a_body); }

Co<void> follows_redirects(Env* env) {
  const Request request = env->request("/redirect/3");
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) co_return;
  EXPECT_EQ(response->body, "arrived");
  EXPECT_EQ(response->redirects, 3);
  EXPECT_EQ(response->url, env->server.url("/redirect/0"));
  EXPECT_EQ(response->header("x-last"), "yes");
  EXPECT_EQ(response->header("x-way"), "") << "headers are those of the last answer";
}
TEST(Client, FollowsRedirects) { run_test(follows_redirects); }

Co<void> limits_redirects(Env* env) {
  Request request = env->request("/loop");
  request.redirects_max = 3;
  absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(env->server.heads.size(), 4u);
  request.redirects_max = 0;
  response = co_await fetch(*env->client, request);
  EXPECT_TRUE(response.ok()) << response.status();
  if (response.ok()) {
    EXPECT_EQ(response->status, 302);
  }
}
TEST(Client, LimitsRedirects) { run_test(limits_redirects); }

Co<void> only_the_web(Env* env) {
  for (const char* target : {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/",
                             "dict://127.0.0.1/", "http://u:p@127.0.0.1:1/"}) {
    const std::string body =
        co_await get(env, std::string("/to/") + absl::BytesToHexString(target));
    EXPECT_EQ(body, "INVALID_ARGUMENT") << target;
  }
  Request request = env->request("");
  request.url = "file:///etc/passwd";
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
}
TEST(Client, NoRedirectLeavesTheWeb) { run_test(only_the_web); }

Co<void> says_hello(Env* env) {
  const std::string body = co_await get(env, "/ok");
  EXPECT_EQ(body, "hello");
}
TEST(Client, ProxiesOfTheEnvironmentAreIgnored) {
  for (const char* name : {"http_proxy", "ALL_PROXY", "all_proxy"}) {
    ASSERT_EQ(::setenv(name, "http://127.0.0.1:1", 1), 0);
  }
  run_test(says_hello);
  for (const char* name : {"http_proxy", "ALL_PROXY", "all_proxy"}) ::unsetenv(name);
}

Co<void> refuses_private(Env* env) {
  const Request request = env->request("/ok");
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(response.status().message().find("leads to 127.0.0.1"), absl::string_view::npos);
  EXPECT_EQ(env->server.accepted, 0);
}
TEST(Client, PrivateAddressesCanBeDenied) {
  run_test(refuses_private, R"({"private_networks":"deny"})");
  run_test(refuses_private, R"({"deny_networks":["127.0.0.0/8"]})");
  run_test(says_hello, R"({"private_networks":"deny","allow_networks":["127.0.0.1"]})");
}

Co<void> refuses_private_names(Env* env) {
  Request request = env->request("/ok");
  // A name that leads there, and odd ways to write the address, are no way around.
  for (const char* host : {"localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"}) {
    request.url = "http://" + std::string(host) + ":" + std::to_string(env->server.port()) + "/ok";
    const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
    EXPECT_EQ(response.status().code(), absl::StatusCode::kPermissionDenied)
        << host << response.status();
  }
  EXPECT_EQ(env->server.accepted, 0);
}
TEST(Client, DeniedAddressesStayDeniedBehindNames) {
  run_test(refuses_private_names, R"({"private_networks":"deny"})");
}

}  // namespace
}  // namespace fermata::http

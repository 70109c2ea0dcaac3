// Servers that break, stall or never stop, and calls that are given up.
#include "tests/plugins/http/client_env.h"

namespace fermata::http {
namespace {

Co<void> breaks(Env* env) {
  for (const char* path : {"/reset", "/short", "/garbage", "/badgzip"}) {
    const std::string body = co_await get(env, path);
    EXPECT_EQ(body, "UNAVAILABLE") << path;
  }
  const std::string body = co_await get(env, "/ok");
  EXPECT_EQ(body, "hello");
}
TEST(ClientFaults, BrokenAnswersAreWorthAnotherTryAndHurtNobodyElse) { run_test(breaks); }

Co<void> refused(Env* env) {
  Request request = env->request("/ok");
  request.url = "http://127.0.0.1:1/ok?secret=1";
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(std::string(response.status().message()).starts_with("GET http://127.0.0.1:1/ok: "))
      << response.status();
}
TEST(ClientFaults, NobodyListensIsUnavailable) { run_test(refused); }

Co<void> too_large(Env* env) {
  for (const char* path : {"/bytes/1001", "/bomb", "/endless"}) {
    Request request = env->request(path);
    request.bytes_max = 1000;
    const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
    EXPECT_EQ(response.status().code(), absl::StatusCode::kOutOfRange) << path;
    EXPECT_NE(response.status().message().find("larger than 1000B (max_bytes)"),
              absl::string_view::npos)
        << response.status();
  }
  co_await env->server.hung_up.wait();  // by /endless: it was not read to the end
  Request request = env->request("/bytes/1000");
  request.bytes_max = 1000;
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_TRUE(response.ok()) << response.status();
}
TEST(ClientFaults, LargeBodiesStopWhileTheyCome) { run_test(too_large); }

Co<void> many_headers(Env* env) {
  const std::string body = co_await get(env, "/headers");
  EXPECT_TRUE(body == "OUT_OF_RANGE" || body == "UNAVAILABLE") << body;
  co_await env->server.hung_up.wait();
}
TEST(ClientFaults, EndlessHeadersStop) { run_test(many_headers); }

Co<void> times_out(Env* env) {
  for (const char* path : {"/hang", "/slow"}) {
    env->server.hung_up.clear();
    Request request = env->request(path);
    request.timeout = absl::Milliseconds(30);
    const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
    EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(response.status().message().find("not done after 30ms"), absl::string_view::npos)
        << response.status();
    co_await env->server.hung_up.wait();
  }
}
TEST(ClientFaults, TimeoutClosesTheConnection) { run_test(times_out); }

Co<void> cancel_them(TaskGroup& group, Env* env) {
  for (const char* path : {"/hang", "/slow"}) {
    env->server.stuck.clear();
    env->server.hung_up.clear();
    const Task<std::string> task = group.spawn(get, env, path);
    co_await env->server.stuck.wait();
    EXPECT_EQ(env->client->transfers(), 1u);
    task.cancel();
    const Outcome<std::string> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(env->client->transfers(), 0u);
    co_await env->server.hung_up.wait();  // the server sees the connection go
  }
  EXPECT_EQ(env->server.open, 0);
}
Co<void> cancels(Env* env) {
  const absl::Status status = co_await with_group(cancel_them, env);
  EXPECT_TRUE(status.ok()) << status;
}
TEST(ClientFaults, CancelClosesTheConnectionAtOnce) { run_test(cancels); }

Co<void> cancel_queued(TaskGroup& group, Env* env) {
  const Task<std::string> first = group.spawn(get, env, "/hang");
  co_await env->server.stuck.wait();
  const Task<std::string> second = group.spawn(get, env, "/ok?2");
  const Task<std::string> third = group.spawn(get, env, "/ok?3");
  for (int i = 0; i < 20; ++i) co_await yield_now();
  EXPECT_EQ(env->client->transfers(), 3u);
  second.cancel();
  const Outcome<std::string> cancelled = co_await second;
  EXPECT_TRUE(cancelled.cancelled());
  EXPECT_FALSE(third.done());
  first.cancel();
  const Outcome<std::string> outcome = co_await third;
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(env->server.heads.size(), 2u) << "the cancelled one was never sent";
}
Co<void> cancels_queued(Env* env) {
  const absl::Status status = co_await with_group(cancel_queued, env);
  EXPECT_TRUE(status.ok()) << status;
}
TEST(ClientFaults, WhatWaitsForAConnectionCanBeCancelledAndTheNextGoesOn) {
  run_test(cancels_queued, R"({"max_connections_per_host":1})");
}

Co<void> queued_times_out(TaskGroup& group, Env* env) {
  const Task<std::string> first = group.spawn(get, env, "/hang");
  co_await env->server.stuck.wait();
  Request request = env->request("/ok");
  request.timeout = absl::Milliseconds(20);
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  first.cancel();
}
Co<void> times_out_in_the_queue(Env* env) {
  const absl::Status status = co_await with_group(queued_times_out, env);
  EXPECT_TRUE(status.ok()) << status;
}
TEST(ClientFaults, TheTimeoutCountsTheWaitForAConnection) {
  run_test(times_out_in_the_queue, R"({"max_connections_per_host":1})");
}

Co<void> unresolvable(Env* env) {
  Request request = env->request("/ok");
  request.url = "http://no-such-host.invalid/";
  const absl::StatusOr<Response> response = co_await fetch(*env->client, request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
}
TEST(ClientFaults, UnknownHostsAreUnavailable) { run_test(unresolvable); }

Co<void> cancel_lookups(TaskGroup& group, Env* env) {
  for (int i = 0; i < 20; ++i) {
    const Task<std::string> task = group.spawn(get, env, "/ok");
    if (i % 2 == 0) co_await yield_now();
    task.cancel();
  }
  co_return;
}
Co<void> cancels_early(Env* env) {
  const absl::Status status = co_await with_group(cancel_lookups, env);
  EXPECT_TRUE(status.ok()) << status;
  const std::string body = co_await get(env, "/ok");
  EXPECT_EQ(body, "hello");
}
TEST(ClientFaults, CancelBeforeTheConnectionIsUp) { run_test(cancels_early); }

}  // namespace
}  // namespace fermata::http

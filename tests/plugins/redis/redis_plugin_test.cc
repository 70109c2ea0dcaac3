#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "services/async/net/buffered_reader.h"
#include "services/async/net/listener.h"
#include "services/async/net/network.h"
#include "services/async/process/subprocess.h"
#include "services/config/json.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class RedisPlugin : public HostFixture {
 public:
  RedisPlugin() {
    put_plugin("redis.so", "plugins/redis/redis.so");
    folder_ = ::mkdtemp(pattern_.data());
  }
  ~RedisPlugin() override { std::filesystem::remove_all(folder_); }
  std::string socket() const { return folder_ + "/redis.sock"; }
  void configure(const std::string& more = "") {
    options.config["redis"] = R"({"address":)" + json_quote("unix:" + socket()) + more + "}";
  }

  // A server that keeps nothing, ready for connections.
  Co<absl::StatusOr<Subprocess>> start(std::string password) {
    const std::vector<std::string> argv = {
        "redis-server", "--port", "0",     "--unixsocket", socket(),        "--save", "",
        "--appendonly", "no",     "--dir", folder_,        "--requirepass", password};
    absl::StatusOr<Subprocess> server = Subprocess::start(argv);
    if (!server.ok()) co_return server.status();
    BufferedReader log(server->output());
    for (;;) {
      const std::string line = co_await Try(log.read_line());
      if (line.find("eady to accept connections") != std::string::npos) break;
    }
    co_return std::move(server);
  }

  // Runs the body with a server beside it.
  template <Body kBody>
  static Co<absl::Status> with_server(PluginHost& host, HostFixture& test) {
    Subprocess server = co_await Try(static_cast<RedisPlugin&>(test).start(""));
    co_return co_await kBody(host, test);
  }

 private:
  // A short path: a socket's name has at most 107 bytes.
  std::string pattern_ = "/tmp/fermata-redis-XXXXXX";
  std::string folder_;
};

// `more` goes behind the command: further options.
template <class... Parts>
std::string command_and(const std::string& more, const Parts&... parts) {
  std::string out = R"({"command":[)";
  for (const std::string& part : {std::string(parts)...}) {
    out += (out.back() == '[' ? "" : ",") + json_quote(part);
  }
  return out + "]" + more + "}";
}
template <class... Parts>
std::string command(const Parts&... parts) {
  return command_and("", parts...);
}

Co<StageOutcome> ask(PluginHost& host, std::string input) {
  return call_stage(host, "redis/command", std::move(input));
}

std::string text_of(const StageOutcome& out) {
  return out.status.ok() ? std::string(out.output.view()) : std::string(out.status.message());
}

Co<absl::Status> replies(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, command("SET", "k", "héllo"));
  EXPECT_EQ(text_of(out), R"({"reply":"OK"})");
  out = co_await ask(host, command("get", "k"));
  EXPECT_EQ(text_of(out), R"({"reply":"héllo"})");
  out = co_await ask(host, command("GET", "none"));
  EXPECT_EQ(text_of(out), R"({"reply":null})");
  out = co_await ask(host, R"({"command":["INCRBY","n",41]})");
  EXPECT_EQ(text_of(out), R"({"reply":41})");
  out = co_await ask(host,
                     command("EVAL", "return {1,{'a',{}},false,redis.error_reply('E x')}", "0"));
  EXPECT_EQ(text_of(out), R"({"reply":[1,["a",[]],null,{"error":"E x"}]})");
  out = co_await ask(host, command("EVAL", "return '\\255'", "0"));
  EXPECT_EQ(text_of(out), R"({"reply":{"base64":"/w=="}})");
  out = co_await ask(host, command_and(R"(,"encoding":"base64")", "GET", "k"));
  EXPECT_EQ(text_of(out), R"({"reply":{"base64":")" + absl::Base64Escape("héllo") + "\"}}");
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, RepliesOfEveryKindBecomeJson) {
  configure();
  run(with_server<replies>);
}

Co<absl::Status> judges(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, command("LPUSH", "list", "a"));
  out = co_await ask(host, command("INCR", "list"));
  EXPECT_FALSE(out.retryable);
  EXPECT_NE(text_of(out).find("redis INCR: WRONGTYPE"), std::string::npos) << out.status;
  out = co_await ask(host, command("NOSUCH", "my-secret"));
  EXPECT_FALSE(out.retryable);
  EXPECT_NE(text_of(out).find("unknown command"), std::string::npos) << out.status;
  EXPECT_EQ(text_of(out).find("my-secret"), std::string::npos) << out.status;
  for (const char* input :
       {R"({"command":[]})", R"({"command":["SELECT","1"]})", R"({"command":["multi"]})",
        R"({"command":["SUBSCRIBE","x"]})", R"({"command":[1]})", R"({"command":["GET",null]})",
        R"({"command":"GET"})", R"({"command":["GET"],"timeout":1})"}) {
    out = co_await ask(host, input);
    EXPECT_FALSE(out.status.ok()) << input;
    EXPECT_FALSE(out.retryable) << input << out.status;
  }
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, ErrorsArePermanentWhereTheyAre) {
  configure();
  run(with_server<judges>);
}

Co<absl::Status> is_limited(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, command("FLUSHALL"));
  EXPECT_NE(text_of(out).find("allow_commands"), std::string::npos) << out.status;
  out = co_await ask(host, command("set", "k", std::string(3000, 'x')));
  EXPECT_EQ(text_of(out), R"({"reply":"OK"})");
  out = co_await ask(host, command("get", "k"));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_NE(text_of(out).find("larger than 2KiB (max_reply)"), std::string::npos) << out.status;
  out = co_await ask(host, command("set", "k", std::string(5000, 'x')));
  EXPECT_NE(text_of(out).find("the limit is 4KiB (max_command)"), std::string::npos) << out.status;
  out = co_await ask(host, command("set", "k", "small"));
  EXPECT_TRUE(out.status.ok()) << "a connection after one with half a reply";
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, CommandsAndSizesHaveLimits) {
  configure(R"(,"allow_commands":["get","SET"],"max_reply":"2KiB","max_command":"4KiB")");
  run(with_server<is_limited>);
}

// What INFO says of `name`.
Co<std::string> info(PluginHost& host, std::string name) {
  const StageOutcome out = co_await ask(host, command("INFO"));
  const std::string text = text_of(out);
  const std::size_t at = text.find(name + ":");
  if (at == std::string::npos) co_return "(none)";
  co_return text.substr(at + name.size() + 1, text.find('\\', at) - at - name.size() - 1);
}

Co<void> count_ok(PluginHost& host, int* count) {
  const StageOutcome out = co_await ask(host, command("INCR", "n"));
  *count += out.status.ok() ? 1 : 0;
}
Co<absl::Status> ask_many(TaskGroup& group, PluginHost& host, int* count) {
  for (int i = 0; i < 200; ++i) (void)group.spawn(count_ok, std::ref(host), count);
  co_return absl::OkStatus();
}
Co<absl::Status> shares(PluginHost& host, HostFixture&) {
  int count = 0;
  const absl::Status status = co_await with_group(ask_many, host, &count);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(count, 200);
  const std::string made = co_await info(host, "total_connections_received");
  EXPECT_LE(std::stoi(made), 3);
  const StageOutcome out = co_await ask(host, command("GET", "n"));
  EXPECT_EQ(text_of(out), R"({"reply":"200"})");
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, TwoHundredCallsShareThreeConnections) {
  configure(R"(,"max_connections":3)");
  run(with_server<shares>);
}

Co<absl::Status> block_and_cancel(TaskGroup& group, PluginHost& host) {
  const Task<StageOutcome> task = group.spawn(ask, std::ref(host), command("BLPOP", "empty", "0"));
  std::string blocked;
  while (blocked != "1") blocked = co_await info(host, "blocked_clients");
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  while (blocked != "0") blocked = co_await info(host, "blocked_clients");
  co_return absl::OkStatus();
}
Co<absl::Status> cancels(PluginHost& host, HostFixture&) {
  co_return co_await with_group(block_and_cancel, host);
}
TEST_F(RedisPlugin, CancelClosesTheConnectionAtOnce) {
  configure();
  run(with_server<cancels>);
}

Co<absl::Status> times_out(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await ask(host, command_and(R"(,"timeout":"30ms")", "BLPOP", "empty", "0"));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(out.retryable);
  EXPECT_EQ(text_of(out), "redis BLPOP: not done after 30ms (timeout)");
  out = co_await ask(host, command("PING"));
  EXPECT_EQ(text_of(out), R"({"reply":"PONG"})");
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, TheTimeoutFreesTheConnection) {
  configure(R"(,"max_connections":1)");
  run(with_server<times_out>);
}

Co<absl::Status> survives(PluginHost& host, HostFixture& test) {
  auto& redis = static_cast<RedisPlugin&>(test);
  {
    Subprocess server = co_await Try(redis.start(""));
    const StageOutcome out = co_await ask(host, command("PING"));
    EXPECT_TRUE(out.status.ok()) << out.status;
  }
  StageOutcome out = co_await ask(host, command("PING"));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  EXPECT_TRUE(out.retryable);
  EXPECT_NE(text_of(out).find(redis.socket()), std::string::npos) << out.status;
  Subprocess server = co_await Try(redis.start(""));
  out = co_await ask(host, command("PING"));
  EXPECT_TRUE(out.status.ok()) << out.status;
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, AServerThatComesBackIsUsedAgain) {
  configure();
  run(survives);
}

Co<absl::Status> signs_in(PluginHost& host, HostFixture& test) {
  Subprocess server = co_await Try(static_cast<RedisPlugin&>(test).start("right"));
  const StageOutcome out = co_await ask(host, command("PING"));
  const bool right = test.options.config["redis"].find("right") != std::string::npos;
  EXPECT_EQ(out.status.ok(), right) << out.status;
  EXPECT_EQ(text_of(out).find("wrong-one"), std::string::npos) << out.status;
  if (!right) {
    EXPECT_EQ(out.status.code(), absl::StatusCode::kPermissionDenied) << out.status;
  }
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, ThePasswordIsSentAndNeverShown) {
  configure(R"(,"password":"right","database":3)");
  run(signs_in);
  configure(R"(,"username":"default","password":"right")");
  run(signs_in);
  configure(R"(,"password":"wrong-one")");
  run(signs_in);
}

// Answers whatever it is asked with `text`, and stays.
Co<void> pretend(Listener& listener, std::string text) {
  for (;;) {
    absl::StatusOr<Stream> peer = co_await listener.accept();
    if (!peer.ok()) co_return;
    (void)co_await peer->write(text);
    BufferedReader reader(*peer);
    (void)co_await reader.read_all(1 << 20);
  }
}
Co<absl::Status> meet(TaskGroup& group, PluginHost& host, Listener& listener, std::string text,
                      StageOutcome* out) {
  (void)group.spawn(pretend, std::ref(listener), text);
  *out = co_await ask(host, command_and(R"(,"timeout":"100ms")", "PING"));
  group.cancel();
  co_return absl::OkStatus();
}
Co<absl::Status> meets_strangers(PluginHost& host, HostFixture& test) {
  const absl::StatusOr<Address> address =
      Address::from_path(static_cast<RedisPlugin&>(test).socket());
  absl::StatusOr<Listener> listener = listen(*address);
  EXPECT_TRUE(listener.ok()) << listener.status();
  StageOutcome out;
  co_await Try(with_group(meet, host, *listener, "HTTP/1.1 400 Bad Request\r\n\r\n", &out));
  EXPECT_NE(text_of(out).find("what answers is not Redis"), std::string::npos) << out.status;
  // Announces a thousand million elements and sends one: costs no memory, only the time allowed.
  co_await Try(with_group(meet, host, *listener, "*1000000000\r\n:1\r\n", &out));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  // A reply too many would be the next command's.
  co_await Try(with_group(meet, host, *listener, "+PONG\r\n+EXTRA\r\n", &out));
  EXPECT_EQ(text_of(out), R"({"reply":"PONG"})");
  co_await Try(with_group(meet, host, *listener, "+PONG\r\n", &out));
  EXPECT_EQ(text_of(out), R"({"reply":"PONG"})");
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, WhatIsNotRedisDoesNoHarm) {
  configure();
  run(meets_strangers);
}

Co<absl::Status> has_no_address(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await ask(host, command("PING"));
  EXPECT_NE(text_of(out).find("set plugins.config.redis.address"), std::string::npos);
  EXPECT_FALSE(out.retryable);
  co_return absl::OkStatus();
}
TEST_F(RedisPlugin, WithoutAnAddressItLoadsAndSaysHowToConfigureIt) { run(has_no_address); }

}  // namespace
}  // namespace fermata

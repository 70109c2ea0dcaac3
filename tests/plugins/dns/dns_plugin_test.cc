#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/descriptor.h"
#include "services/config/json.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

using std::string_literals::operator""s;

std::string u16(unsigned value) {
  return {static_cast<char>(value >> 8 & 255), static_cast<char>(value & 255)};
}

// "a.b" as labels with their lengths.
std::string labels(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return out + std::string(1, '\0');
}

// One record; its name points at the question's.
std::string record(unsigned type, const std::string& data, const std::string& name = "\xc0\x0c") {
  return name + u16(type) + u16(1) + u16(0) + u16(300) + u16(static_cast<unsigned>(data.size())) +
         data;
}

// A name server of the zone "test", with answers good and bad.
class NameServer {
 public:
  NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.fd(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    socklen_t size = sizeof at;
    EXPECT_EQ(::getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  static Co<void> serve(NameServer* self) {
    std::string query(2000, '\0');
    for (;;) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t got = ::recvfrom(self->socket_.fd(), query.data(), query.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got > 12) {
        const std::string answer = self->answer(query.substr(0, static_cast<std::size_t>(got)));
        if (!answer.empty()) {
          (void)::sendto(self->socket_.fd(), answer.data(), answer.size(), 0,
                         reinterpret_cast<sockaddr*>(&from), size);
        }
        continue;
      }
      (void)co_await readable(self->socket_.fd());
    }
  }

  Event asked_silence;
  int queries = 0;

 private:
  std::string answer(const std::string& query) {
    ++queries;
    std::size_t end = 12;
    std::string name;
    while (query[end] != '\0') {
      if (!name.empty()) name += '.';
      name += query.substr(end + 1, static_cast<std::size_t>(query[end]));
      end += 1 + static_cast<std::size_t>(query[end]);
    }
    const std::string question = query.substr(12, end + 5 - 12);
    const std::string type = query.substr(end + 1, 2);
    if (name == "silent.test") {
      asked_silence.set();
      return "";
    }
    unsigned code = 0;
    std::vector<std::string> records;
    if (name == "a.test") {
      if (type == u16(1))
        records = {record(1, "\xc0\x00\x02\x01"s), record(1, "\xc0\x00\x02\x02"s)};
      if (type == u16(28))
        records = {record(28, "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\1")};
      if (type == u16(15)) records = {record(15, u16(10) + labels("mx1.test"))};
      if (type == u16(2)) records = {record(2, labels("ns.test"))};
      if (type == u16(16)) {
        records = {record(16, "\x06h\xc3\xa9llo\x06 world"), record(16, "\x01\xff")};
      }
    } else if (name == "alias.test") {
      records = {record(5, labels("a.test")), record(1, "\xc0\x00\x02\x01"s, labels("a.test"))};
    } else if (name == "_x._tcp.test") {
      records = {record(33, u16(1) + u16(2) + u16(8080) + labels("host.test"))};
    } else if (name == "1.2.0.192.in-addr.arpa" || name.ends_with("8.b.d.0.1.0.0.2.ip6.arpa")) {
      records = {record(12, labels("host.test"))};
    } else if (name == "broken.test") {
      code = 2;
    } else if (name == "short.test") {
      records = {record(1, "\xc0\x00"s)};
    } else if (name == "lies.test") {
      records = {record(1, "\xc0\x00\x02\x01"s)};
      records[0].resize(records[0].size() - 2);
    } else {
      code = 3;
    }
    std::string out = query.substr(0, 2) + u16(0x8580 | code) + u16(1) +
                      u16(static_cast<unsigned>(records.size())) + u16(0) + u16(0) + question;
    for (const std::string& each : records) out += each;
    return out;
  }

  Descriptor socket_;
  unsigned port_ = 0;
};

class DnsPlugin : public HostFixture {
 public:
  DnsPlugin() {
    put_plugin("dns.so", "plugins/dns/dns.so");
    configure("");
  }
  void configure(const std::string& more) {
    options.config["dns"] = R"({"servers":[)" + json_quote(server.address()) + "]" + more + "}";
  }
  NameServer server;
};

Co<StageOutcome> ask(PluginHost& host, std::string name, std::string type = "A",
                     std::string more = "") {
  co_return co_await call_stage(
      host, "dns/resolve",
      R"({"name":)" + json_quote(name) + R"(,"type":)" + json_quote(type) + more + "}");
}

std::string text_of(const StageOutcome& out) {
  return out.status.ok() ? std::string(out.output.view()) : std::string(out.status.message());
}
// From "found" to what changes from run to run.
std::string found(const StageOutcome& out) {
  const std::string text = text_of(out);
  const std::size_t begin = text.find("\"found\"");
  if (begin == std::string::npos) return text;
  return text.substr(begin, text.find(",\"elapsed_ms\"") - begin);
}

using Body = Co<void> (*)(PluginHost& host, NameServer& server);
Co<absl::Status> serve_for(TaskGroup& group, PluginHost& host, NameServer& server, Body body) {
  (void)group.spawn(NameServer::serve, &server);
  co_await body(host, server);
  group.cancel();
  co_return absl::OkStatus();
}
template <Body kBody>
Co<absl::Status> with_server(PluginHost& host, HostFixture& test) {
  NameServer& server = static_cast<DnsPlugin&>(test).server;
  const Body body = kBody;
  co_return co_await with_group(serve_for, host, server, body);
}

Co<void> has_types(PluginHost& host, NameServer& server) {
  struct Case {
    const char* name;
    const char* type;
    const char* records;
  };
  static constexpr Case kCases[] = {
      {"a.test", "A", R"({"value":"192.0.2.1","ttl":300},{"value":"192.0.2.2","ttl":300})"},
      {"a.test", "AAAA", R"({"value":"2001:db8::1","ttl":300})"},
      {"a.test", "MX", R"({"host":"mx1.test","priority":10,"ttl":300})"},
      {"a.test", "NS", R"({"value":"ns.test","ttl":300})"},
      {"a.test", "TXT",
       R"({"value":"héllo world","ttl":300},{"value":{"base64":"/w=="},"ttl":300})"},
      {"_x._tcp.test", "SRV",
       R"({"host":"host.test","port":8080,"priority":1,"weight":2,"ttl":300})"},
      {"192.0.2.1", "PTR", R"({"value":"host.test","ttl":300})"},
      {"2001:db8::1", "PTR", R"({"value":"host.test","ttl":300})"},
      {"alias.test", "CNAME", R"({"value":"a.test","ttl":300})"},
  };
  for (const Case& each : kCases) {
    const StageOutcome out = co_await ask(host, each.name, each.type);
    EXPECT_EQ(found(out), absl::StrCat(R"("found":true,"records":[)", each.records,
                                       R"(],"canonical_name":null)"))
        << each.type;
  }
  const StageOutcome out = co_await ask(host, "alias.test");
  EXPECT_EQ(found(out), R"("found":true,"records":[{"value":"192.0.2.1","ttl":300}],)"
                        R"("canonical_name":"a.test")");
}
TEST_F(DnsPlugin, RecordsOfEveryTypeBecomeJson) { run(with_server<has_types>); }

Co<void> finds_none(PluginHost& host, NameServer& server) {
  StageOutcome out = co_await ask(host, "none.test");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(out.retryable);
  EXPECT_EQ(text_of(out), "dns A none.test: Domain name not found");
  out = co_await ask(host, "none.test", "A", R"(,"expect":"any")");
  EXPECT_EQ(found(out), R"("found":false,"records":[],"canonical_name":null)");
  out = co_await ask(host, "alias.test", "MX");
  EXPECT_EQ(text_of(out), "dns MX alias.test: no record of this type");
  EXPECT_FALSE(out.retryable);
}
TEST_F(DnsPlugin, NoSuchNameIsPermanentOrAResult) { run(with_server<finds_none>); }

Co<void> meets_trouble(PluginHost& host, NameServer& server) {
  for (const char* name : {"broken.test", "short.test", "lies.test"}) {
    const StageOutcome out = co_await ask(host, name);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << name << out.status;
    EXPECT_TRUE(out.retryable) << name;
  }
  StageOutcome out = co_await ask(host, "silent.test", "A", R"(,"timeout":"50ms")");
  EXPECT_EQ(text_of(out), "dns A silent.test: no answer after 50ms (timeout)");
  EXPECT_TRUE(out.retryable);
  out = co_await ask(host, "a.test");
  EXPECT_TRUE(out.status.ok()) << out.status;
}
TEST_F(DnsPlugin, ServersInTroubleAreWorthAnotherAttempt) { run(with_server<meets_trouble>); }

Co<void> retries(PluginHost& host, NameServer& server) {
  const StageOutcome out = co_await ask(host, "silent.test");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  EXPECT_EQ(server.queries, 2);
}
TEST_F(DnsPlugin, ASilentServerIsTriedAgainInTime) {
  configure(R"(,"try_timeout":"20ms","tries":2)");
  run(with_server<retries>);
}

Co<absl::Status> cancel_query(TaskGroup& group, PluginHost& host, NameServer& server) {
  const Task<StageOutcome> task = group.spawn(ask, std::ref(host), "silent.test", "A", "");
  co_await server.asked_silence.wait();
  const StageOutcome out = co_await ask(host, "a.test");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kResourceExhausted) << out.status;
  EXPECT_TRUE(out.retryable);
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_return absl::OkStatus();
}
Co<void> cancels(PluginHost& host, NameServer& server) {
  const absl::Status status = co_await with_group(cancel_query, host, server);
  EXPECT_TRUE(status.ok()) << status;
}
TEST_F(DnsPlugin, CancelLeavesAtOnceAndQueriesAreBounded) {
  configure(R"(,"max_queries":1,"max_waiting":0)");
  run(with_server<cancels>);
}

Co<void> refuses(PluginHost& host, NameServer& server) {
  for (const std::string& name : {std::string(300, 'a'), std::string("a..test"),
                                  std::string(64, 'a') + ".test", std::string("a\0b", 3)}) {
    const StageOutcome out = co_await ask(host, name);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << name << out.status;
    EXPECT_FALSE(out.retryable);
  }
  EXPECT_EQ(server.queries, 0);
}
TEST_F(DnsPlugin, NamesThatCannotBeAreRefused) { run(with_server<refuses>); }

TEST_F(DnsPlugin, AWrongServerIsRefusedAtStart) {
  options.config["dns"] = R"({"servers":["not an address"]})";
  run(nullptr);
  ASSERT_EQ(report.refusals.size(), 1u);
  EXPECT_NE(report.refusals[0].find("expected addresses such as 1.1.1.1:53"), std::string::npos)
      << report.refusals[0];
}

}  // namespace
}  // namespace fermata

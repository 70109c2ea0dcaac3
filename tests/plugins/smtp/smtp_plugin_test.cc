#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/async/net/buffered_reader.h"
#include "services/async/net/listener.h"
#include "services/async/net/socket.h"
#include "services/config/json.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

// A mail server that keeps what it gets.
class MailServer {
 public:
  MailServer() : listener_(listen_socket(Address::loopback(), ListenOptions()).value()) {}
  std::string address() const { return listener_.local().to_string(); }

  static Co<void> serve(MailServer* self) {
    (void)co_await with_group(&MailServer::accept_all, self);
  }

  std::vector<std::string> commands;
  std::string message;             // of the last DATA
  std::string refuse;              // the command that begins so …
  std::string refusal;             // … is answered with this
  std::string silent_at = "none";  // a command that begins so gets no answer
  Event stuck;
  Event hung_up;

 private:
  static Co<absl::Status> accept_all(TaskGroup& group, MailServer* self) {
    for (;;) {
      Stream peer = co_await Try(self->listener_.accept());
      (void)group.spawn(&MailServer::talk, self, std::move(peer));
    }
  }
  static Co<absl::Status> receive(MailServer* self, BufferedReader& reader) {
    self->message.clear();
    for (;;) {
      const std::string line = co_await Try(reader.read_line());
      if (line == ".") co_return absl::OkStatus();
      absl::StrAppend(&self->message, line, "\n");
    }
  }
  static Co<void> talk(MailServer* self, Stream peer) {
    BufferedReader reader(peer);
    std::string reply = "220 test\r\n";
    for (;;) {
      const absl::Status written = co_await peer.write(reply);
      if (!written.ok()) break;
      const absl::StatusOr<std::string> line = co_await reader.read_line();
      if (!line.ok()) break;
      self->commands.push_back(*line);
      if (absl::StartsWith(*line, self->silent_at)) {
        self->stuck.set();
        (void)co_await reader.read_some(1);
        break;
      }
      reply = self->reply_to(*line);
      if (*line != "DATA" || !absl::StartsWith(reply, "354")) continue;
      const absl::Status go = co_await peer.write(reply);
      const absl::Status received = co_await receive(self, reader);
      if (!go.ok() || !received.ok()) break;
      reply = "250 taken\r\n";
    }
    self->hung_up.set();
  }
  std::string reply_to(const std::string& line) const {
    if (!refuse.empty() && absl::StartsWith(line, refuse)) return refusal + "\r\n";
    if (absl::StartsWith(line, "EHLO")) return "250-test\r\n250 8BITMIME\r\n";
    if (line == "DATA") return "354 go on\r\n";
    if (line == "QUIT") return "221 bye\r\n";
    return "250 ok\r\n";
  }

  Listener listener_;
};

class SmtpPlugin : public HostFixture {
 public:
  SmtpPlugin() {
    put_plugin("smtp.so", "plugins/smtp/smtp.so");
    configure();
  }
  void configure(const std::string& more = R"(,"tls":"none")") {
    options.config["smtp"] = R"({"from":"me@here.test","helo":"here.test","server":)" +
                             json_quote(server.address()) + more + "}";
  }
  MailServer server;
};

using Body = Co<void> (*)(PluginHost& host, MailServer& server);
Co<absl::Status> serve_for(TaskGroup& group, PluginHost& host, MailServer& server, Body body) {
  (void)group.spawn(MailServer::serve, &server);
  co_await body(host, server);
  group.cancel();
  co_return absl::OkStatus();
}
template <Body kBody>
Co<absl::Status> with_server(PluginHost& host, HostFixture& test) {
  MailServer& server = static_cast<SmtpPlugin&>(test).server;
  const Body body = kBody;
  co_return co_await with_group(serve_for, host, server, body);
}

Co<StageOutcome> send(PluginHost& host, std::string input) {
  co_return co_await call_stage(host, "smtp/send", std::move(input));
}
std::string text_of(const StageOutcome& out) {
  return out.status.ok() ? std::string(out.output.view()) : std::string(out.status.message());
}

Co<void> sends(PluginHost& host, MailServer& server) {
  const StageOutcome out = co_await send(host, R"({
      "to":["a@x.test","b@x.test"],"cc":["c@x.test"],"bcc":["hidden@x.test"],"from_name":"Mé",
      "subject":"Grüße","text":"hello\n.\nthere","html":"<p>hello",
      "attachments":[{"name":"a.bin","content_base64":"/wA="}]})");
  EXPECT_TRUE(out.status.ok()) << out.status;
  EXPECT_NE(text_of(out).find(R"("recipients":4,)"), std::string::npos) << text_of(out);
  const std::vector<std::string> expected = {"EHLO here.test",
                                             "MAIL FROM:<me@here.test>",
                                             "RCPT TO:<a@x.test>",
                                             "RCPT TO:<b@x.test>",
                                             "RCPT TO:<c@x.test>",
                                             "RCPT TO:<hidden@x.test>",
                                             "DATA"};
  EXPECT_EQ(std::vector<std::string>(server.commands.begin(), server.commands.begin() + 7),
            expected);
  const std::string& message = server.message;
  for (const char* line :
       {"\nFrom: =?UTF-8?B?TcOp?= <me@here.test>\n", "\nSubject: =?UTF-8?B?R3LDvMOfZQ==?=\n",
        "\nTo: a@x.test,\n b@x.test\n", "\nCc: c@x.test\n", "\nContent-Type: multipart/mixed",
        "\nContent-Type: multipart/alternative", "\naGVsbG8KLgp0aGVyZQ==\n", "\nPHA+aGVsbG8=\n",
        "filename=\"a.bin\"", "\n/wA=\n", "@here.test>\n", "\nMIME-Version: 1.0\n"}) {
    EXPECT_NE(("\n" + message).find(line), std::string::npos) << line << " in " << message;
  }
  EXPECT_EQ(message.find("hidden"), std::string::npos);
}
TEST_F(SmtpPlugin, AMessageArrivesWithAllItsParts) { run(with_server<sends>); }

// Many times what libcurl asks for at once, and each line within the limit of 998 bytes.
Co<void> sends_much(PluginHost& host, MailServer& server) {
  const std::string text(2'000'000, 'x');
  const std::string subject(999, 's');
  const StageOutcome out = co_await send(host, absl::StrCat(R"({"to":["a@x.test"],"subject":")",
                                                            subject, R"(","text":")", text, "\"}"));
  EXPECT_TRUE(out.status.ok()) << out.status;
  EXPECT_GT(server.message.size(), text.size() / 3 * 4);
  std::string body;
  for (const absl::string_view line : absl::StrSplit(server.message, '\n')) {
    EXPECT_LE(line.size(), 998u);
    if (line.size() == 76) absl::StrAppend(&body, line);
  }
  std::string decoded;
  EXPECT_TRUE(absl::Base64Unescape(body, &decoded));
  EXPECT_EQ(decoded, text.substr(0, decoded.size()));
  EXPECT_GT(decoded.size(), text.size() - 57);
}
TEST_F(SmtpPlugin, ALargeMessageArrivesWhole) { run(with_server<sends_much>); }

std::string message_id(const std::string& message) {
  const std::size_t begin = message.find("Message-ID: ");
  return message.substr(begin, message.find('\n', begin) - begin);
}
Co<void> repeats(PluginHost& host, MailServer& server) {
  StageOutcome out = co_await send(host, R"({"to":["a@x.test"],"text":"one"})");
  const std::string first = message_id(server.message);
  EXPECT_GT(first.size(), 40u) << server.message;
  out = co_await send(host, R"({"to":["a@x.test"],"text":"one"})");
  EXPECT_EQ(message_id(server.message), first) << "the same job, the same message";
  out = co_await send(host, R"({"to":["a@x.test"],"text":"two"})");
  EXPECT_NE(message_id(server.message), first);
}
TEST_F(SmtpPlugin, EveryAttemptHasTheSameMessageId) { run(with_server<repeats>); }

Co<void> refuses(PluginHost& host, MailServer& server) {
  for (
      const char* input :
      {R"({"to":[]})", R"({"to":["a@x.test\r\nRCPT TO:<b@x.test>"]})",
       R"({"to":["a@x.test,b@x.test"]})", R"({"to":["Me <a@x.test>"]})", R"({"to":["<a@x.test>"]})",
       R"({"to":["a b@x.test"]})", R"({"to":["@x.test"]})", R"({"to":["a@"]})",
       R"({"to":["-oQ@x.test"]})", R"({"to":["a@x.test"],"subject":"x\r\nBcc: b@x.test"})",
       R"({"to":["a@x.test"],"subject":"x\nBcc: b@x.test"})",
       R"({"to":["a@x.test"],"from_name":"x\r\n\r\nbody"})",
       R"({"to":["a@x.test"],"from":"me@here.test>\r\nX: y"})",
       R"({"to":["a@x.test"],"reply_to":"a@x.test\nX: y"})",
       R"({"to":["a@x.test"],"attachments":[{"name":"a\r\nX: y","content_base64":""}]})",
       R"({"to":["a@x.test"],"attachments":[{"name":"a","type":"a/b\r\nX: y","content_base64":""}]})",
       R"({"to":["a@y.test"]})", R"({"to":["a@x.test","b@x.test","c@x.test"]})",
       R"({"to":["a@x.test"],"text":"more than ten bytes"})"}) {
    const StageOutcome out = co_await send(host, input);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << input << out.status;
    EXPECT_FALSE(out.retryable);
  }
  EXPECT_TRUE(server.commands.empty());
}
TEST_F(SmtpPlugin, WhatCouldBeginAnotherHeaderOrCommandIsRefused) {
  configure(R"(,"tls":"none","allow_domains":["x.test"],"max_recipients":2,"max_bytes":10)");
  run(with_server<refuses>);
}

Co<void> judges(PluginHost& host, MailServer& server) {
  const std::string input = R"({"to":["a@x.test"],"text":"x"})";
  server.refuse = "RCPT";
  server.refusal = "550 no such user";
  StageOutcome out = co_await send(host, input);
  EXPECT_EQ(out.status.code(), absl::StatusCode::kFailedPrecondition) << out.status;
  EXPECT_FALSE(out.retryable);
  EXPECT_NE(text_of(out).find("550 no such user"), std::string::npos) << out.status;
  server.refusal = "451 greylisted";
  out = co_await send(host, input);
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable) << out.status;
  EXPECT_TRUE(out.retryable);
  EXPECT_NE(text_of(out).find("451 greylisted"), std::string::npos) << out.status;
  server.refuse = "";
  out = co_await send(host, input);
  EXPECT_TRUE(out.status.ok()) << out.status;
}
TEST_F(SmtpPlugin, TheServersReplySaysWhetherToTryAgain) { run(with_server<judges>); }

Co<void> needs_tls(PluginHost& host, MailServer& server) {
  const StageOutcome out = co_await send(host, R"({"to":["a@x.test"],"text":"x"})");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kFailedPrecondition) << out.status;
  for (const std::string& command : server.commands) {
    EXPECT_FALSE(absl::StartsWith(command, "MAIL") || absl::StartsWith(command, "AUTH")) << command;
  }
  EXPECT_EQ(text_of(out).find("my-password"), std::string::npos);
}
TEST_F(SmtpPlugin, NothingIsSaidToAServerWithoutTls) {
  configure(R"(,"username":"me","password":"my-password")");
  run(with_server<needs_tls>);
}

Co<absl::Status> cancel_send(TaskGroup& group, PluginHost& host, MailServer& server) {
  const Task<StageOutcome> task =
      group.spawn(send, std::ref(host), R"({"to":["a@x.test"],"text":"x"})");
  co_await server.stuck.wait();
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_await server.hung_up.wait();
  co_return absl::OkStatus();
}
Co<void> cancels(PluginHost& host, MailServer& server) {
  server.silent_at = "DATA";
  const absl::Status status = co_await with_group(cancel_send, host, server);
  EXPECT_TRUE(status.ok()) << status;
}
TEST_F(SmtpPlugin, CancelClosesTheConnectionAtOnce) { run(with_server<cancels>); }

Co<void> times_out(PluginHost& host, MailServer& server) {
  server.silent_at = "MAIL";
  const StageOutcome out =
      co_await send(host, R"({"to":["a@x.test"],"text":"x","timeout":"50ms"})");
  EXPECT_EQ(text_of(out),
            absl::StrCat("smtp ", server.address(), ": not done after 50ms (timeout)"));
  EXPECT_TRUE(out.retryable);
  co_await server.hung_up.wait();
}
TEST_F(SmtpPlugin, TheTimeoutClosesTheConnection) { run(with_server<times_out>); }

TEST_F(SmtpPlugin, APasswordWithoutTlsIsRefusedAtStart) {
  configure(R"(,"tls":"none","username":"me","password":"my-password")");
  run(nullptr);
  ASSERT_EQ(report.refusals.size(), 1u);
  EXPECT_NE(report.refusals[0].find("expected starttls or implicit, got none"), std::string::npos)
      << report.refusals[0];
  EXPECT_EQ(report.refusals[0].find("my-password"), std::string::npos);
}

}  // namespace
}  // namespace fermata

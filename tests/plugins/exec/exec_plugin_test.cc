#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/escaping.h"
#include "services/async/descriptor.h"
#include "services/config/json.h"
#include "tests/plugins/file/temp_folder.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class ExecPlugin : public HostFixture {
 public:
  ExecPlugin() { put_plugin("exec.so", "plugins/exec/exec.so"); }
  void configure(const std::string& more = "") {
    options.config["exec"] =
        R"({"commands":{"sh":"/bin/sh","cat":"/bin/cat","printf":"/usr/bin/printf","gone":"/no/such"},"folder":)" +
        json_quote(folder.path()) + more + "}";
  }
  file::TempFolder folder;
};

std::string shell(std::string_view script, const std::string& more = "") {
  return R"({"command":"sh","args":["-c",)" + json_quote(script) + "]" + more + "}";
}

std::string member(const StageOutcome& out, std::string_view name) {
  absl::StatusOr<JsonDocument> json = parse_json(out.output.view());
  if (!json.ok()) return std::string(out.status.ToString());
  const JsonValue* value = find_member(*json, name);
  if (value == nullptr) return "(none)";
  return value->IsString() ? std::string(as_string_view(*value)) : to_json(*value);
}

bool says(const StageOutcome& out, std::string_view text) {
  return std::string_view(out.status.message().data(), out.status.message().size()).find(text) !=
         std::string_view::npos;
}

// Tells when a script has come to a point, and when nobody of it is left to hold the other end.
class Fifo {
 public:
  explicit Fifo(std::string path) : path_(std::move(path)) {
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    end_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    // Without a writer the end has come before the beginning.
    writer_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }
  const std::string& path() const { return path_; }
  // What was written since; empty when every writer is gone.
  static Co<std::string> next(Fifo* self) {
    std::string text(100, '\0');
    for (;;) {
      const ssize_t got = ::read(self->end_.fd(), text.data(), text.size());
      if (got > 0) self->writer_.close();
      if (got >= 0) co_return text.substr(0, static_cast<std::size_t>(got));
      (void)co_await readable(self->end_.fd());
    }
  }

 private:
  std::string path_;
  Descriptor end_;
  Descriptor writer_;
};

Co<absl::Status> runs(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await call_stage(
      host, "exec/run", shell("cat; echo oops >&2; exit 3", R"(,"stdin":"héllo","expect":"any")"));
  EXPECT_EQ(member(out, "exit_code"), "3");
  EXPECT_EQ(member(out, "signal"), "null");
  EXPECT_EQ(member(out, "stdout"), "héllo");
  EXPECT_EQ(member(out, "stderr"), "oops\n");
  EXPECT_EQ(member(out, "stdout_truncated"), "false");
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, GivesOutputErrorsAndExitCode) {
  configure();
  run(runs);
}

Co<absl::Status> refuses_all(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await call_stage(host, "exec/run", R"({"command":"sh"})");
  EXPECT_TRUE(says(out, "set plugins.config.exec.commands")) << out.status;
  EXPECT_FALSE(out.retryable);
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, NothingIsAllowedUntilItIsConfigured) { run(refuses_all); }

Co<absl::Status> refuses(PluginHost& host, HostFixture&) {
  for (const char* input :
       {R"({"command":"/bin/sh"})", R"({"command":"../bin/sh"})", R"({"command":"sh","x":1})",
        R"({"command":"sh","args":["a\u0000b"]})",
        R"({"command":"sh","stdin":"","stdin_base64":""})",
        R"({"command":"sh","environment":{"LD_PRELOAD":"/x.so"}})",
        R"({"command":"sh","folder":"/etc"})", R"({"command":"sh","folder":"../.."})",
        R"({"command":"sh","timeout":"1h"})", R"({"command":"gone"})"}) {
    const StageOutcome out = co_await call_stage(host, "exec/run", input);
    EXPECT_FALSE(out.status.ok()) << input;
    EXPECT_FALSE(out.retryable) << input << out.status;
  }
  const StageOutcome out = co_await call_stage(host, "exec/run", R"({"command":"caat"})");
  EXPECT_TRUE(says(out, "did you mean 'cat'?")) << out.status;
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, WrongInputIsRefused) {
  configure();
  run(refuses);
}

Co<absl::Status> no_shell(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await call_stage(
      host, "exec/run", R"_({"command":"printf","args":["%s|","$(id)","; ls","*","-n","",">x"]})_");
  EXPECT_EQ(member(out, "stdout"), "$(id)|; ls|*|-n||>x|") << out.status;
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, ArgumentsArriveAsTheyAre) {
  configure();
  run(no_shell);
}

Co<absl::Status> carries_bytes(PluginHost& host, HostFixture&) {
  const std::string much(1'000'000, 'x');
  StageOutcome out = co_await call_stage(host, "exec/run",
                                         R"({"command":"cat","stdin":)" + json_quote(much) + "}");
  EXPECT_TRUE(member(out, "stdout") == much) << out.status;
  const std::string bytes = absl::Base64Escape(absl::string_view("\xff\0\x01", 3));
  out = co_await call_stage(host, "exec/run",
                            R"({"command":"cat","stdin_base64":)" + json_quote(bytes) + "}");
  EXPECT_EQ(member(out, "stdout_base64"), bytes) << out.status;
  out = co_await call_stage(host, "exec/run",
                            shell("exec <&-; echo done", R"(,"stdin":)" + json_quote(much)));
  EXPECT_EQ(member(out, "stdout"), "done\n") << "it need not read its input";
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, LargeAndBinaryDataGoThrough) {
  configure();
  run(carries_bytes);
}

Co<absl::Status> truncates(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await call_stage(
      host, "exec/run",
      shell("head -c 300000 /dev/zero | tr '\\0' y; printf 'aé' >&2", R"(,"max_output":2)"));
  EXPECT_EQ(member(out, "stdout"), "yy") << out.status;
  EXPECT_EQ(member(out, "stdout_bytes"), "300000");
  EXPECT_EQ(member(out, "stdout_truncated"), "true");
  EXPECT_EQ(member(out, "stderr"), "a") << "no character is cut in two";
  EXPECT_EQ(member(out, "stderr_bytes"), "3");
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, OutputAboveTheLimitIsCutAndSaysSo) {
  configure();
  run(truncates);
}

Co<absl::Status> has_environment(PluginHost& host, HostFixture& test) {
  StageOutcome out = co_await call_stage(
      host, "exec/run", shell("env | sort; pwd", R"(,"environment":{"MINE":"2"},"folder":"sub")"));
  EXPECT_EQ(member(out, "stdout"),
            "FIXED=1\nMINE=2\nPWD=" + static_cast<ExecPlugin&>(test).folder.path("sub") + "\n" +
                static_cast<ExecPlugin&>(test).folder.path("sub") + "\n")
      << out.status;
  out = co_await call_stage(host, "exec/run", shell("pwd", R"(,"folder":"out")"));
  EXPECT_TRUE(says(out, "leads out of")) << out.status;
  EXPECT_FALSE(out.retryable);
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, EnvironmentAndFolderAreWhatTheOperatorAllows) {
  configure(R"(,"environment":{"FIXED":"1"},"allow_environment":["MINE"])");
  ASSERT_EQ(::mkdir(folder.path("sub").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("/etc", folder.path("out").c_str()), 0);
  run(has_environment);
}

Co<absl::Status> judges(PluginHost& host, HostFixture&) {
  StageOutcome out =
      co_await call_stage(host, "exec/run", shell("echo no such account >&2; exit 3"));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(out.retryable);
  EXPECT_TRUE(says(out, "exited with code 3, expected exit code 0; stderr ends: no such account"))
      << out.status;
  out = co_await call_stage(host, "exec/run", shell("exit 75"));
  EXPECT_TRUE(out.retryable) << out.status;
  out = co_await call_stage(host, "exec/run", shell("exit 9", R"(,"retry_codes":[9])"));
  EXPECT_TRUE(out.retryable) << out.status;
  out = co_await call_stage(host, "exec/run", shell("kill -9 $$"));
  EXPECT_TRUE(out.retryable);
  EXPECT_TRUE(says(out, "killed by signal 9")) << out.status;
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, ErrorsSayWhetherToTryAgain) {
  configure();
  run(judges);
}

// It ignores SIGTERM, and has a child of its own.
Co<absl::Status> cancel_run(TaskGroup& group, PluginHost* host, Fifo* fifo) {
  const std::string script =
      "exec 9>" + fifo->path() + "; trap '' TERM; sleep 1000 & echo up >&9; wait; wait";
  const Task<StageOutcome> task =
      group.spawn(call_stage, std::ref(*host), "exec/run", shell(script));
  std::string text = co_await Fifo::next(fifo);
  EXPECT_EQ(text, "up\n");
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  text = co_await Fifo::next(fifo);
  EXPECT_EQ(text, "") << "somebody lives";
  co_return absl::OkStatus();
}
Co<absl::Status> cancels(PluginHost& host, HostFixture& test) {
  Fifo fifo(static_cast<ExecPlugin&>(test).folder.path("fifo"));
  co_return co_await with_group(cancel_run, &host, &fifo);
}
TEST_F(ExecPlugin, CancelKillsTheWholeGroup) {
  configure(R"(,"grace":"50ms")");
  run(cancels);
}

Co<absl::Status> times_out(PluginHost& host, HostFixture& test) {
  const auto& folder = static_cast<ExecPlugin&>(test).folder;
  // The shell runs its trap when the child that it waits for has ended, by the same signal.
  const StageOutcome out = co_await call_stage(
      host, "exec/run",
      shell("trap 'echo bye > note; exit' TERM; sleep 1000", R"(,"timeout":"300ms")"));
  EXPECT_EQ(out.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(out.retryable);
  EXPECT_TRUE(says(out, "not done after 300ms (timeout)")) << out.status;
  EXPECT_EQ(folder.get("note"), "bye\n") << "SIGTERM came first, and it had time";
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, TheTimeoutStopsItGently) {
  configure(R"(,"grace":"4s")");
  run(times_out);
}

Co<absl::Status> leaves_nobody(PluginHost& host, HostFixture& test) {
  Fifo fifo(static_cast<ExecPlugin&>(test).folder.path("fifo"));
  const StageOutcome out = co_await call_stage(
      host, "exec/run", shell("exec 9>" + fifo.path() + "; sleep 1000 & echo done; echo up >&9"));
  EXPECT_EQ(member(out, "stdout"), "done\n") << out.status;
  std::string text = co_await Fifo::next(&fifo);
  EXPECT_EQ(text, "up\n");
  text = co_await Fifo::next(&fifo);
  EXPECT_EQ(text, "") << "a background process outlived its command";
  co_return absl::OkStatus();
}
TEST_F(ExecPlugin, BackgroundProcessesEndWithTheirCommand) {
  configure();
  run(leaves_nobody);
}

Co<absl::Status> fill_slot(TaskGroup& group, PluginHost* host, Fifo* fifo) {
  (void)group.spawn(call_stage, std::ref(*host), "exec/run",
                    shell("exec 9>" + fifo->path() + "; echo up >&9; sleep 1000"));
  const std::string text = co_await Fifo::next(fifo);
  EXPECT_EQ(text, "up\n");
  const StageOutcome out = co_await call_stage(*host, "exec/run", R"({"command":"cat"})");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(out.retryable);
  EXPECT_TRUE(says(out, "all 1 processes are in use and 0 calls wait, of 0")) << out.status;
  group.cancel();
  co_return absl::OkStatus();
}
Co<absl::Status> is_bounded(PluginHost& host, HostFixture& test) {
  Fifo fifo(static_cast<ExecPlugin&>(test).folder.path("fifo"));
  co_return co_await with_group(fill_slot, &host, &fifo);
}
TEST_F(ExecPlugin, ProcessesAndThoseWhoWaitAreBounded) {
  configure(R"(,"max_processes":1,"max_waiting":0)");
  run(is_bounded);
}

TEST_F(ExecPlugin, AWrongConfigurationIsRefusedAtStart) {
  options.config["exec"] = R"({"commands":{"sh":"bin/sh"}})";
  run(nullptr);
  ASSERT_EQ(report.refusals.size(), 1u);
  EXPECT_NE(report.refusals[0].find("expected an absolute path, got 'bin/sh'"), std::string::npos)
      << report.refusals[0];
}

}  // namespace
}  // namespace fermata

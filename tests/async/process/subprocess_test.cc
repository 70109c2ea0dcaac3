// Children: started, talked to, signalled, and never left behind.
#include "services/async/process/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/net/buffered_reader.h"

namespace fermata {
namespace {

template <class F>
void on_epoll(F scenario) {
  {
    EpollLoop loop;
    EXPECT_EQ(loop.run(scenario), absl::OkStatus());
  }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child was left behind";
}

SubprocessOptions piped() {
  SubprocessOptions options;
  options.input = Stdio::kPipe;
  options.errors = Stdio::kPipe;
  return options;
}

Co<absl::StatusOr<Communicated>> shell(std::string script, std::string input = "",
                                       std::size_t limit = 1 << 20) {
  const std::vector<std::string> argv = {"sh", "-c", script};
  absl::StatusOr<Subprocess> child = Subprocess::start(argv, piped());
  if (!child.ok()) co_return child.status();
  co_return co_await child->communicate(std::move(input), limit);
}

TEST(Subprocess, CommunicateGivesOutputErrorsAndHowItEnded) {
  on_epoll([]() -> Co<absl::Status> {
    Communicated all = co_await Try(shell("cat; echo oops >&2; exit 3", "hello"));
    EXPECT_EQ(all.output, "hello");
    EXPECT_EQ(all.errors, "oops\n");
    EXPECT_EQ(all.status, ExitStatus::exited(3));
    EXPECT_EQ(all.status.to_string(), "exited with code 3");
    co_return absl::OkStatus();
  });
}

// More than the pipes hold, both ways: neither side may wait for the other for ever.
TEST(Subprocess, AMegabyteThroughCatComesBack) {
  on_epoll([]() -> Co<absl::Status> {
    const std::string much(1 << 20, 'x');
    Communicated all = co_await Try(shell("cat", much));
    EXPECT_TRUE(all.output == much);
    co_return absl::OkStatus();
  });
}

TEST(Subprocess, AChildThatReadsNoneOfItsInputIsNoErrorAndNoSignal) {
  on_epoll([]() -> Co<absl::Status> {
    Communicated all = co_await Try(shell("exec <&-; echo done", std::string(1 << 20, 'x')));
    EXPECT_EQ(all.output, "done\n");
    co_return absl::OkStatus();
  });
}

TEST(Subprocess, OutputAboveTheLimitKillsTheChild) {
  on_epoll([]() -> Co<absl::Status> {
    absl::StatusOr<Communicated> all = co_await shell("while :; do echo yes; done", "", 10'000);
    EXPECT_EQ(all.status().code(), absl::StatusCode::kResourceExhausted) << all.status();
    co_return absl::OkStatus();
  });
}

TEST(Subprocess, WhatCannotBeStartedIsAnErrorAtOnce) {
  on_epoll([]() -> Co<absl::Status> {
    EXPECT_EQ(Subprocess::start({"/no/such/program"}).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(Subprocess::start({}).status().code(), absl::StatusCode::kInvalidArgument);
    SubprocessOptions nowhere;
    nowhere.directory = "/no/such/directory";
    EXPECT_EQ(Subprocess::start({"true"}, nowhere).status().code(), absl::StatusCode::kNotFound);
    co_return absl::OkStatus();
  });
}

Co<absl::Status> expect_ends(Subprocess& child, ExitStatus expected) {
  ExitStatus status = co_await child.wait();
  EXPECT_EQ(status, expected) << status.to_string();
  co_return absl::OkStatus();
}

TEST(Subprocess, CancellingAWaitLeavesTheChildAliveAndManyMayWait) {
  on_epoll([]() -> Co<absl::Status> {
    absl::StatusOr<Subprocess> child = Subprocess::start({"cat"}, piped());
    absl::StatusOr<ExitStatus> none = co_await timeout(absl::Milliseconds(5), child->wait());
    EXPECT_TRUE(absl::IsDeadlineExceeded(none.status()));
    EXPECT_FALSE(child->poll().has_value());
    EXPECT_TRUE(child->terminate().ok());
    const ExitStatus ended = ExitStatus::killed(SIGTERM);
    co_await Try(gather(expect_ends(*child, ended), expect_ends(*child, ended)));
    EXPECT_EQ(child->kill().code(), absl::StatusCode::kFailedPrecondition);
    co_return absl::OkStatus();
  });
}

TEST(Subprocess, DestroyingItKillsAndReapsTheChild) {
  on_epoll([]() -> Co<absl::Status> {
    pid_t pid = 0;
    {
      absl::StatusOr<Subprocess> child = Subprocess::start({"cat"}, piped());
      pid = child->pid();
      EXPECT_EQ(kill(pid, 0), 0);
    }
    EXPECT_EQ(kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
    co_return absl::OkStatus();
  });
}

TEST(Subprocess, ItHasTheDirectoryAndTheEnvironmentItWasGiven) {
  on_epoll([]() -> Co<absl::Status> {
    SubprocessOptions options;
    options.directory = "/";
    options.environment = std::vector<std::string>{"ONLY=this"};
    absl::StatusOr<Subprocess> child =
        Subprocess::start({"/bin/sh", "-c", "pwd; echo $ONLY$HOME"}, options);
    Communicated all = co_await Try(child->communicate("", 1000));
    EXPECT_EQ(all.output, "/\nthis\n");
    co_return absl::OkStatus();
  });
}

// A descriptor without close-on-exec, as a careless library leaves it; and a blocked signal.
TEST(Subprocess, ItInheritsNoDescriptorAndNoSignalMask) {
  on_epoll([]() -> Co<absl::Status> {
    const Descriptor leak(fcntl(0, F_DUPFD, 50));
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    Communicated all = co_await Try(shell("[ -e /proc/self/fd/50 ] && echo leaked; kill -TERM $$"));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(all.output, "");
    EXPECT_EQ(all.status, ExitStatus::killed(SIGTERM)) << all.status.to_string();
    co_return absl::OkStatus();
  });
}

// The shell's child holds the pipe: it ends only when that child has been killed too.
TEST(Subprocess, WhatIsLeftOfItsGroupEndsWithTheChild) {
  on_epoll([]() -> Co<absl::Status> {
    SubprocessOptions options;
    options.new_group = true;
    options.group_ends_with_child = true;
    absl::StatusOr<Subprocess> child = Subprocess::start({"sh", "-c", "sleep 1000 &"}, options);
    co_await Try(expect_ends(*child, ExitStatus::exited(0)));
    BufferedReader reader(child->output());
    std::string rest = co_await Try(reader.read_all(100));
    EXPECT_EQ(rest, "");
    EXPECT_EQ(child->send_signal_to_group(SIGTERM).code(), absl::StatusCode::kFailedPrecondition);
    co_return absl::OkStatus();
  });
}

TEST(Subprocess, ASignalToTheGroupReachesItsChildrenToo) {
  on_epoll([]() -> Co<absl::Status> {
    SubprocessOptions options;
    options.new_group = true;
    absl::StatusOr<Subprocess> child =
        Subprocess::start({"sh", "-c", "sleep 1000 & echo up; wait"}, options);
    BufferedReader reader(child->output());
    std::string line = co_await Try(reader.read_line());
    EXPECT_EQ(line, "up");
    EXPECT_EQ(child->send_signal_to_group(SIGTERM), absl::OkStatus());
    co_await Try(expect_ends(*child, ExitStatus::killed(SIGTERM)));
    std::string rest = co_await Try(reader.read_all(100));
    EXPECT_EQ(rest, "");
    co_return absl::OkStatus();
  });
}

TEST(Subprocess, AConversationLineByLine) {
  on_epoll([]() -> Co<absl::Status> {
    absl::StatusOr<Subprocess> child = Subprocess::start({"cat"}, piped());
    BufferedReader reader(child->output());
    for (const char* line : {"one", "two", "three"}) {
      const std::string sent = std::string(line) + "\n";
      co_await Try(child->input().write(sent));
      std::string back = co_await Try(reader.read_line());
      EXPECT_EQ(back, line);
    }
    child->input().close();
    co_return co_await expect_ends(*child, ExitStatus::exited(0));
  });
}

// ---- a child whose end the kernel tells another process only --------------------------------

bool is_zombie_of_ours(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

TEST(Subprocess, AChildThatIsTracedHasEndedAndIsNotWaitedFor) {
  on_epoll([]() -> Co<absl::Status> {
    SubprocessOptions options = piped();
    options.new_group = options.group_ends_with_child = true;
    const std::vector<std::string> argv = {"tests/async/process/traced_child"};
    absl::StatusOr<Subprocess> child = Subprocess::start(argv, options);
    if (!child.ok()) co_return child.status();
    const pid_t pid = child->pid();
    ExitStatus ended = co_await child->wait();
    EXPECT_EQ(ended, ExitStatus::kept_by_tracer()) << ended.to_string();
    EXPECT_FALSE(ended.ok());
    EXPECT_FALSE(child->kill().ok());
    Stream tracer = std::move(child->input());
    child = absl::CancelledError("gone");  // its destructor does not wait either
    EXPECT_TRUE(is_zombie_of_ours(pid));
    tracer.close();
    // Each child that ends takes along what its tracer has let go of meanwhile.
    while (is_zombie_of_ours(pid)) {
      Communicated other = co_await Try(shell("true"));
      EXPECT_TRUE(other.status.ok());
    }
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

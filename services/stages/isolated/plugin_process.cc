#include "services/stages/isolated/plugin_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/fatal_signals.h"
#include "services/stages/file_descriptor.h"

namespace fermata {
namespace {

// Above all numbers that the child's descriptors get.
constexpr int kFirstPassed = 16;

absl::Status failed(const char* what) {
  return absl::ResourceExhaustedError(
      absl::StrCat("starting a plugin's process: ", what, ": ", std::strerror(errno)));
}

std::vector<std::string> command(const PluginProcessOptions& options) {
  std::vector<std::string> argv = {
      options.program,
      "--serve",
      absl::StrCat("--file=", options.file),
      absl::StrCat("--library=", options.library),
      absl::StrCat("--id=", options.plugin_id),
      absl::StrCat("--version-of-plugin=", options.version),
      absl::StrCat("--grace-ns=", options.cancel_grace_ns),
      absl::StrCat("--busy-poll-ns=", options.busy_poll_ns),
      absl::StrCat("--credit=", options.chunk_credit),
      absl::StrCat("--payload-max=", options.payload_max),
  };
  for (std::string& argument : arguments_of(options.confinement)) {
    argv.push_back(std::move(argument));
  }
  return argv;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PluginProcess>> PluginProcess::start(
    Loop& loop, const PluginProcessOptions& options, Owner& owner) {
  absl::StatusOr<CrashPage> page = CrashPage::make();
  if (!page.ok()) return page.status();
  int fds[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
    return failed("socketpair");
  }
  FileDescriptor ours(fds[0]);
  FileDescriptor theirs(fds[1]);
  if (::pipe2(fds, O_CLOEXEC) != 0) return failed("pipe");
  FileDescriptor errors(fds[0]);
  FileDescriptor errors_theirs(fds[1]);
  ::fcntl(errors.get(), F_SETFL, O_NONBLOCK);
  const FileDescriptor passed[3] = {
      FileDescriptor(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, kFirstPassed)),
      FileDescriptor(::fcntl(page->fd(), F_DUPFD_CLOEXEC, kFirstPassed)),
      FileDescriptor(::fcntl(errors_theirs.get(), F_DUPFD_CLOEXEC, kFirstPassed))};
  SubprocessOptions spawn;
  spawn.output = Stdio::kNull;
  spawn.errors = Stdio::kNull;  // until the child makes descriptor 5 its stderr
  spawn.environment = environment_of(options.confinement);
  spawn.directory = "/";
  spawn.group_ends_with_child = true;
  spawn.new_group = true;  // Ctrl-C is the server's, and what the plugin started ends with it
  for (const FileDescriptor& fd : passed) {
    if (!fd.ok()) return failed("dup");
    spawn.descriptors.push_back(fd.get());
  }
  absl::StatusOr<Subprocess> child = Subprocess::start(command(options), spawn);
  if (!child.ok()) {
    return absl::Status(child.status().code(),
                        absl::StrCat("starting a plugin's process: ", child.status().message(),
                                     " - plugins.host in fermata.yaml names the program"));
  }
  return std::unique_ptr<PluginProcess>(new PluginProcess(
      loop, options, owner, *std::move(page), *std::move(child), ours.release(), errors.release()));
}

PluginProcess::PluginProcess(Loop& loop, const PluginProcessOptions& options, Owner& owner,
                             CrashPage page, Subprocess child, int socket, int errors)
    : loop_(loop),
      owner_(owner),
      ping_ns_(options.ping_ns),
      page_(std::move(page)),
      child_(std::move(child)),
      channel_(loop, socket, FrameReader::kServer, options.payload_max, *this,
               options.busy_poll_ns),
      stderr_(loop, errors, [this](std::string_view line) { owner_.on_stderr(line); }),
      pidfd_(*this, child_.pidfd()),
      timer_(*this) {
  channel_.open();
  stderr_.open();
  wait_for_end();
  loop_.timers().arm(timer_, loop_.now_ns() + ping_ns_);
}

PluginProcess::~PluginProcess() {
  if (pidfd_.waiting) loop_.unwatch(pidfd_);
}

void PluginProcess::kill(std::string_view cause, std::string_view how) {
  if (cause_.empty()) {
    cause_ = cause;
    how_ = how;
  }
  (void)child_.kill();
}

void PluginProcess::on_frame(const Frame& frame) noexcept {
  if (frame.type == FrameType::kPong) {
    unanswered_ = 0;
    return;
  }
  owner_.on_frame(frame);
}

void PluginProcess::on_closed(const absl::Status& why) noexcept {
  if (absl::IsUnavailable(why))
    return;  // it is ending, and says how in a moment; or ping() sees it
  kill("protocol", std::string(why.message()));
}

void PluginProcess::ping_due(Timer& timer) noexcept {
  static_cast<OwnTimer&>(timer).process.ping();
}

void PluginProcess::ping() noexcept {
  if (aborted_) {
    (void)child_.kill();
    return;
  }
  if (unanswered_ >= kPingsMissedMax) {
    aborted_ = true;
    if (cause_.empty()) {
      cause_ = "hang";
      how_ = absl::StrCat("no answer for ",
                          absl::FormatDuration(absl::Nanoseconds(kPingsMissedMax * ping_ns_)));
    }
    (void)child_.send_signal(SIGABRT);  // its handler notes where it was
    loop_.timers().arm(timer_, loop_.now_ns() + kAbortNs);
    return;
  }
  ++unanswered_;
  channel_.send(FrameType::kPing, 0);
  loop_.timers().arm(timer_, loop_.now_ns() + ping_ns_);
}

void PluginProcess::pidfd_readable(IoWatch& watch) noexcept {
  auto& own = static_cast<Watch&>(watch);
  own.waiting = false;
  if (own.process.child_.poll()) return own.process.ended();
  // Woken too early: the kernel does that when one of the threads of a traced process ends.
  own.process.wait_for_end();
}

void PluginProcess::wait_for_end() noexcept {
  const int error = loop_.watch(pidfd_);
  FERMATA_CHECK(error == 0, "a pidfd can be watched");
  pidfd_.waiting = true;
}

void PluginProcess::ended() noexcept {
  const std::optional<ExitStatus> status = child_.poll();
  FERMATA_CHECK(!std::exchange(over_, true), "a process ended twice");
  timer_.disarm();
  channel_.drain();
  channel_.close();
  stderr_.drain();
  ProcessEnd end;
  end.asked = asked_ && status->ok();
  end.suspects = page_.suspects(cause_ == "hang");
  end.stderr_tail = stderr_.lines();
  if (!cause_.empty()) {
    end.cause = cause_;
    end.how = how_;
  } else if (status->signal() != 0) {
    end.cause = signal_name(status->signal());
    end.how = end.cause;
    const uint64_t address = page_.layout().address.load(std::memory_order_relaxed);
    if (page_.layout().signal.load(std::memory_order_relaxed) != 0 &&
        (status->signal() == SIGSEGV || status->signal() == SIGBUS)) {
      absl::StrAppend(&end.how, " at 0x", absl::Hex(address));
    }
  } else {
    end.cause = "exit";
    end.how = status->code() < 0 ? status->to_string() : absl::StrCat("exit code ", status->code());
  }
  owner_.on_ended(std::move(end));
}

}  // namespace fermata

#include "services/async/process/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // which the header of glibc 2.36 forgets
#include <sys/pidfd.h>
}

#include <array>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/async/descriptor.h"
#include "services/async/gather.h"
#include "services/async/io.h"
#include "services/async/net/buffered_reader.h"
#include "services/async/net/io_error.h"
#include "services/async/process/pipe.h"
#include "services/async/process/reap.h"
#include "services/async/try.h"

namespace fermata {
namespace {

// Pipes must not sit on 0 to 2, which they are about to be copied to.
constexpr int kFirstFd = 3;

struct Pipe {
  Descriptor read;
  Descriptor write;
};

absl::StatusOr<Pipe> make_pipe() {
  int fds[2] = {-1, -1};
  if (pipe2(fds, O_CLOEXEC) != 0) return io_error(errno, "make a pipe");
  Pipe pipe{Descriptor(fds[0]), Descriptor(fds[1])};
  for (Descriptor* end : {&pipe.read, &pipe.write}) {
    if (end->fd() >= kFirstFd) continue;
    *end = Descriptor(fcntl(end->fd(), F_DUPFD_CLOEXEC, kFirstFd));
    if (!end->is_open()) return io_error(errno, "make a pipe");
  }
  return pipe;
}

// What posix_spawn is told, taken back in the end.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    flags_ = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  }
  SpawnPlan(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  // `target` is 0, 1 or 2. Gives this process's end of the pipe, if there is one.
  absl::StatusOr<Stream> connect(int target, Stdio how) {
    if (how == Stdio::kInherit) return Stream();
    if (how == Stdio::kNull) {
      posix_spawn_file_actions_addopen(&actions_, target, "/dev/null", O_RDWR, 0);
      return Stream();
    }
    absl::StatusOr<Pipe> pipe = make_pipe();
    if (!pipe.ok()) return pipe.status();
    const bool to_child = target == STDIN_FILENO;
    Descriptor& theirs = kept_[static_cast<std::size_t>(target)];
    theirs = std::move(to_child ? pipe->read : pipe->write);
    posix_spawn_file_actions_adddup2(&actions_, theirs.fd(), target);
    return stream_from_pipe(std::move(to_child ? pipe->write : pipe->read));
  }

  int spawn(const std::vector<std::string>& argv, const SubprocessOptions& options, pid_t& pid) {
    if (!options.directory.empty()) {
      posix_spawn_file_actions_addchdir_np(&actions_, options.directory.c_str());
    }
    int next = kFirstFd;
    for (int fd : options.descriptors) posix_spawn_file_actions_adddup2(&actions_, fd, next++);
    posix_spawn_file_actions_addclosefrom_np(&actions_, next);
    if (options.new_group) flags_ |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&attributes_, static_cast<short>(flags_));
    std::vector<char*> arguments = pointers(argv);
    std::vector<char*> environment;
    if (options.environment) environment = pointers(*options.environment);
    return posix_spawnp(&pid, argv[0].c_str(), &actions_, &attributes_, arguments.data(),
                        options.environment ? environment.data() : environ);
  }

 private:
  static std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  int flags_ = 0;
  std::array<Descriptor, 3> kept_;  // the child's ends, until it has them
};

Co<absl::Status> write_input(Stream& stream, const std::string& input) {
  if (!stream) co_return absl::OkStatus();
  absl::Status status = co_await stream.write(input);
  stream.close();
  // It did not want all of it.
  if (absl::IsUnavailable(status)) co_return absl::OkStatus();
  co_return status;
}

Co<absl::StatusOr<std::string>> read_output(Stream& stream, std::size_t limit) {
  if (!stream) co_return std::string();
  BufferedReader reader(stream);
  co_return co_await reader.read_all(limit);
}

}  // namespace

std::string ExitStatus::to_string() const {
  if (code_ == kUnknown) return "ended in a way that only the process that traces it is told";
  if (signal_ == 0) return absl::StrCat("exited with code ", code_);
  return absl::StrCat("killed by signal ", signal_, " (", strsignal(signal_), ")");
}

struct Subprocess::Child {
  ~Child() {
    if (pid <= 0 || poll()) return;
    ::kill(group_ends ? -pid : pid, SIGKILL);
    (void)reap(pid, pidfd.fd());
  }

  // Never waits: what has not ended is not reaped.
  const std::optional<ExitStatus>& poll() noexcept {
    if (ended || !has_ended()) return ended;
    // A child that has not been reaped keeps its number, and so its group's.
    if (group_ends) ::kill(-pid, SIGKILL);
    const std::optional<int> status = reap(pid, pidfd.fd());
    if (!status) {
      ended = ExitStatus::kept_by_tracer();
    } else {
      ended = WIFEXITED(*status) ? ExitStatus::exited(WEXITSTATUS(*status))
                                 : ExitStatus::killed(WTERMSIG(*status));
    }
    return ended;
  }

  bool has_ended() const noexcept {
    pollfd state = {pidfd.fd(), POLLIN, 0};
    return ::poll(&state, 1, 0) > 0;
  }

  static Co<ExitStatus> wait(Child* child) {
    while (!child->poll()) {
      absl::Status status = co_await readable(child->pidfd.fd());
      FERMATA_CHECK(status.ok(), "a pidfd can be waited for");
    }
    co_return *child->ended;
  }

  pid_t pid = 0;
  bool group = false;
  bool group_ends = false;
  Descriptor pidfd;
  std::optional<ExitStatus> ended;
  Stream input;
  Stream output;
  Stream errors;
};

Subprocess::Subprocess(std::unique_ptr<Child> child) noexcept : child_(std::move(child)) {}
Subprocess::Subprocess(Subprocess&&) noexcept = default;
Subprocess& Subprocess::operator=(Subprocess&&) noexcept = default;
Subprocess::~Subprocess() = default;

absl::StatusOr<Subprocess> Subprocess::start(std::vector<std::string> argv,
                                             const SubprocessOptions& options) {
  if (argv.empty() || argv[0].empty()) {
    return absl::InvalidArgumentError("expected a program and its arguments; got no program");
  }
  const int after_passed = kFirstFd + static_cast<int>(options.descriptors.size());
  for (int fd : options.descriptors) {
    if (fd >= after_passed) continue;
    return absl::InvalidArgumentError(absl::StrCat("expected descriptors to pass on that are ",
                                                   after_passed, " or more, got ", fd));
  }
  SpawnPlan plan;
  absl::StatusOr<Stream> input = plan.connect(STDIN_FILENO, options.input);
  if (!input.ok()) return input.status();
  absl::StatusOr<Stream> output = plan.connect(STDOUT_FILENO, options.output);
  if (!output.ok()) return output.status();
  absl::StatusOr<Stream> errors = plan.connect(STDERR_FILENO, options.errors);
  if (!errors.ok()) return errors.status();
  auto child = std::make_unique<Child>();
  if (const int error = plan.spawn(argv, options, child->pid); error != 0) {
    child->pid = 0;
    return io_error(error, absl::StrCat("start '", argv[0], "'"));
  }
  child->group = options.new_group;
  child->group_ends = options.new_group && options.group_ends_with_child;
  // The number is the child's until it is waited for, which only this object does.
  child->pidfd = Descriptor(pidfd_open(child->pid, 0));
  if (!child->pidfd.is_open()) return io_error(errno, "open a pidfd");
  child->input = *std::move(input);
  child->output = *std::move(output);
  child->errors = *std::move(errors);
  return Subprocess(std::move(child));
}

pid_t Subprocess::pid() const noexcept { return child_->pid; }
int Subprocess::pidfd() const noexcept { return child_->pidfd.fd(); }
Stream& Subprocess::input() noexcept { return child_->input; }
Stream& Subprocess::output() noexcept { return child_->output; }
Stream& Subprocess::errors() noexcept { return child_->errors; }
std::optional<ExitStatus> Subprocess::poll() noexcept { return child_->poll(); }
Co<ExitStatus> Subprocess::wait() { return Child::wait(child_.get()); }

absl::Status Subprocess::send_signal(int signal) {
  if (child_->poll()) {
    return absl::FailedPreconditionError(absl::StrCat("cannot send a signal to process ", pid(),
                                                      ": it has ", child_->ended->to_string()));
  }
  if (pidfd_send_signal(child_->pidfd.fd(), signal, nullptr, 0) == 0) return absl::OkStatus();
  return io_error(errno, absl::StrCat("send signal ", signal, " to process ", pid()));
}

absl::Status Subprocess::send_signal_to_group(int signal) {
  FERMATA_CHECK(child_->group, "a child without new_group shares this process's group");
  if (child_->poll()) return send_signal(signal);
  if (::kill(-pid(), signal) == 0) return absl::OkStatus();
  return io_error(errno, absl::StrCat("send signal ", signal, " to process group ", pid()));
}

absl::Status Subprocess::terminate() { return send_signal(SIGTERM); }
absl::Status Subprocess::kill() { return send_signal(SIGKILL); }

Co<absl::StatusOr<Communicated>> Subprocess::communicate(std::string input, std::size_t limit) {
  using Texts = std::tuple<std::monostate, std::string, std::string>;
  absl::StatusOr<Texts> texts =
      co_await gather(write_input(child_->input, input), read_output(child_->output, limit),
                      read_output(child_->errors, limit));
  if (!texts.ok()) {
    (void)kill();
    co_await wait();
    co_return texts.status();
  }
  ExitStatus status = co_await wait();
  Communicated all{std::get<1>(*std::move(texts)), std::get<2>(*std::move(texts)), status};
  co_return all;
}

}  // namespace fermata

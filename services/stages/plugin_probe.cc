#include "services/stages/plugin_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/async/process/reap.h"
#include "services/stages/absl_view.h"
#include "services/stages/file_descriptor.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

// A plugin that floods the verdict is cut off.
constexpr size_t kMaxVerdict = size_t{64} << 10;

absl::Status cannot(const ProbeSubject& subject, const std::string& program, int error) {
  return refusal(164, subject.file,
                 absl::StrCat("cannot be probed: ", program, ": ", ::strerror(error),
                              " - install fermata-plugin-host beside fermatad"));
}

// Empty on failure, with errno set.
FileDescriptor file_with(std::string_view text) {
  FileDescriptor file(::memfd_create("fermata-probe-config", MFD_CLOEXEC));
  if (!file.ok()) return file;
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return FileDescriptor(-1);
  }
  return file;
}

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// 0 or an errno.
int start(const ProbeSubject& subject, const std::string& program, int config, int verdict,
          pid_t* pid) {
  SpawnActions actions;
  // Out of the way of the numbers that the process expects.
  const FileDescriptor config_copy(::fcntl(config, F_DUPFD_CLOEXEC, 10));
  const FileDescriptor verdict_copy(::fcntl(verdict, F_DUPFD_CLOEXEC, 10));
  if (!config_copy.ok() || !verdict_copy.ok()) return errno;
  ::posix_spawn_file_actions_adddup2(actions.get(), config_copy.get(), kProbeConfigFd);
  ::posix_spawn_file_actions_addopen(actions.get(), 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), verdict_copy.get(), kProbeVerdictFd);
  ::posix_spawn_file_actions_addclosefrom_np(actions.get(), kProbeVerdictFd + 1);
  std::string name = "fermata-plugin-host";
  std::string mode = "--probe";
  std::string path = subject.path;
  std::string file = subject.file;
  char* const argv[] = {name.data(), mode.data(), path.data(), file.data(), nullptr};
  std::vector<char*> environment;
  for (const std::string& each : subject.environment) {
    environment.push_back(const_cast<char*>(each.c_str()));
  }
  environment.push_back(nullptr);
  // A process group of its own, so that it does not end without its children.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error =
      ::posix_spawn(pid, program.c_str(), actions.get(), &attributes, argv, environment.data());
  ::posix_spawnattr_destroy(&attributes);
  return error;
}

// Readable when the time is over.
FileDescriptor alarm_after(absl::Duration limit) {
  FileDescriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  itimerspec when{};
  // Zero would disarm it.
  when.it_value = absl::ToTimespec(std::max(limit, absl::Milliseconds(1)));
  if (timer.ok() && ::timerfd_settime(timer.get(), 0, &when, nullptr) == 0) return timer;
  return FileDescriptor(-1);
}

enum class End : uint8_t {
  kClean,     // it has ended
  kForsaken,  // it has ended, and a process that it started has not
  kTooLate,   // the time is over
};

// Reads what it says until it has ended.
End read_verdict(int fd, const FileDescriptor& process, const FileDescriptor& alarm,
                 std::string& verdict) {
  bool open = true;
  for (;;) {
    pollfd all[] = {
        {open ? fd : -1, POLLIN, 0}, {process.get(), POLLIN, 0}, {alarm.get(), POLLIN, 0}};
    if (::poll(all, 3, /*timeout_ms=*/-1) < 0) continue;  // a signal
    if (all[2].revents != 0) return End::kTooLate;        // also of one that never stops writing
    if (all[0].revents != 0) {  // first what it said, then that it has ended
      char space[4096];
      const ssize_t got = ::read(fd, space, sizeof space);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        open = false;
      } else {
        verdict.append(space, std::min(static_cast<size_t>(got), kMaxVerdict - verdict.size()));
      }
      continue;
    }
    // Its own end of the pipe is closed by now.
    if (all[1].revents != 0) return open ? End::kForsaken : End::kClean;
  }
}

// The text after `word` in the last line that begins with it.
std::string last_line(std::string_view verdict, std::string_view word) {
  std::string found;
  while (!verdict.empty()) {
    const size_t end = std::min(verdict.find('\n'), verdict.size());
    const std::string_view line = verdict.substr(0, end);
    if (line.substr(0, word.size()) == word) found = line.substr(word.size());
    verdict.remove_prefix(std::min(end + 1, verdict.size()));
  }
  return found;
}

absl::Status judge(const ProbeSubject& subject, const ProbeOptions& options,
                   const std::string& verdict, End end, std::optional<int> ended) {
  if (const std::string no = last_line(verdict, "no "); !no.empty()) {
    return absl::FailedPreconditionError(no);
  }
  const std::string at = last_line(verdict, "at ");
  const size_t tab = std::min(at.find('\t'), at.size());
  const std::string what = at.empty() ? "starting" : at.substr(0, tab);
  const std::string stage = tab < at.size() ? absl::StrCat("/", at.substr(tab + 1)) : "";
  const std::string who = absl::StrCat(subject.id, stage, " ", subject.version);
  if (end == End::kTooLate) {
    return refusal(
        162, who,
        absl::StrCat(what, " did not return within ", absl::FormatDuration(options.limit),
                     " in the probe - server not affected"));
  }
  if (!ended.has_value()) {
    return refusal(161, who,
                   absl::StrCat(what,
                                " ended in the probe, and another process that it let trace "
                                "itself keeps how - server not affected"));
  }
  const int status = *ended;
  if (WIFSIGNALED(status)) {
    const char* name = ::sigabbrev_np(WTERMSIG(status));
    return refusal(161, who,
                   absl::StrCat(what, " died in the probe with SIG",
                                name != nullptr ? name : absl::StrCat(WTERMSIG(status)),
                                " - server not affected"));
  }
  if (end == End::kForsaken) {
    return refusal(163, who,
                   "started a process that goes on after it - the server's process is not its to "
                   "fork; ask for a process of its own with FERMATA_PLUGIN_ISOLATE");
  }
  // The last line, after at least one step.
  const bool good = absl::EndsWith(absl_view(verdict), "\nok\n");
  if (good && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return refusal(163, who,
                 absl::StrCat("called exit(", WEXITSTATUS(status), ") in ", what,
                              " - the process is the server's; return an error instead"));
}

}  // namespace

absl::Status probe_plugin(ProbeSubject subject, ProbeOptions options) {
  if (options.program.empty()) return absl::OkStatus();
  const FileDescriptor config = file_with(subject.config);
  int ends[2];
  if (!config.ok() || ::pipe2(ends, O_CLOEXEC) != 0) {
    return cannot(subject, options.program, errno);
  }
  const FileDescriptor reads(ends[0]);
  FileDescriptor writes(ends[1]);
  pid_t pid = -1;
  const int error = start(subject, options.program, config.get(), writes.get(), &pid);
  writes = FileDescriptor(-1);
  if (error != 0) return cannot(subject, options.program, error);
  std::string verdict;
  // It is not waited for before it has ended, so the number is its own until then. One that closed
  // the pipe and lingers is as late as one that did not.
  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const FileDescriptor alarm = alarm_after(options.limit);
  const End end = process.ok() && alarm.ok() ? read_verdict(reads.get(), process, alarm, verdict)
                                             : End::kTooLate;
  (void)::kill(-pid, SIGKILL);                           // and whatever it has started
  if (end == End::kTooLate) (void)::kill(pid, SIGKILL);  // it may have left its group
  const std::optional<int> status = reap(pid, process.get());
  return judge(subject, options, verdict, end, status);
}

}  // namespace fermata

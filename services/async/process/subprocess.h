// Subprocess: a program run as a child. asyncio.create_subprocess_exec.
//
//   absl::StatusOr<Subprocess> sort = Subprocess::start({"sort", "-r"}, options);
//   Communicated all = co_await Try(sort->communicate("b\na\n", 1 << 20));
//   if (!all.status.ok()) …                                            // "exited with code 1"
//
// posix_spawn and a pidfd: no fork of this process's memory, no SIGCHLD handler, and no other child
// of this process is ever waited for. The child gets its three standard streams, what the options
// name, and nothing else that is open here, and no signal is blocked or ignored in it.
//
// Move-only; it owns the child. Destroying it while the child runs kills the child and waits, in
// the kernel, for the moment that takes: no orphan, no zombie. Whoever wants a gentler end calls
// terminate() and awaits wait() first. A process that ignores SIGCHLD cannot have a Subprocess.
//
// A child that another process traces stays a zombie until that one lets go of it. It counts as
// ended (kept_by_tracer()), is never waited for, and is cleared away when the next one ends.
#ifndef SERVICES_ASYNC_PROCESS_SUBPROCESS_H_
#define SERVICES_ASYNC_PROCESS_SUBPROCESS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/co.h"
#include "services/async/net/stream.h"

namespace fermata {

// How a child ended.
class ExitStatus {
 public:
  static ExitStatus exited(int code) noexcept { return ExitStatus(code, 0); }
  static ExitStatus killed(int signal) noexcept { return ExitStatus(0, signal); }
  // It has ended, and the kernel tells only the process that traces it how.
  static ExitStatus kept_by_tracer() noexcept { return ExitStatus(kUnknown, 0); }
  bool ok() const noexcept { return code_ == 0 && signal_ == 0; }
  int code() const noexcept {
    return code_;
  }  // what it returned; 0 if a signal ended it; -1: unknown
  int signal() const noexcept { return signal_; }  // 0 if it ended by itself
  std::string to_string() const;                   // "exited with code 1", "killed by signal 9 …"
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;

 private:
  static constexpr int kUnknown = -1;

  ExitStatus(int code, int signal) noexcept : code_(code), signal_(signal) {}
  int code_;
  int signal_;
};

enum class Stdio : std::uint8_t { kInherit, kPipe, kNull };

struct SubprocessOptions {
  SubprocessOptions() {}
  Stdio input = Stdio::kNull;
  Stdio output = Stdio::kPipe;
  Stdio errors = Stdio::kInherit;
  std::optional<std::vector<std::string>> environment;  // "NAME=value"; without it, this process's
  std::string directory;                                // to run in; empty: this process's
  // What else of this process's descriptors the child gets, as 3, 4, ... in this order; each must
  // be above all of those numbers. They stay open here.
  std::vector<int> descriptors;
  bool new_group = false;  // its own process group: Ctrl-C in a terminal does not reach it
  // With new_group: what is left of the group when the child has ended is killed, before the
  // child's number can be anybody else's. Only who has left the group outlives the child.
  bool group_ends_with_child = false;
};

// What communicate() collected.
struct Communicated {
  std::string output;
  std::string errors;
  ExitStatus status;
};

class Subprocess {
 public:
  // argv[0] is a path, or looked up in PATH. NotFound and the like when it cannot be run. Blocks
  // for the moment that the kernel needs to start it.
  static absl::StatusOr<Subprocess> start(std::vector<std::string> argv,
                                          const SubprocessOptions& options = SubprocessOptions());
  Subprocess(Subprocess&&) noexcept;
  Subprocess& operator=(Subprocess&&) noexcept;
  ~Subprocess();

  pid_t pid() const noexcept;
  // Readable when it has ended: for those who watch descriptors themselves. Stays this object's.
  int pidfd() const noexcept;
  // This process's ends of the pipes that the options asked for. Close input() to end it.
  Stream& input() noexcept;
  Stream& output() noexcept;
  Stream& errors() noexcept;

  // Wakes when the child has ended; any number may wait, and again. On cancel: only the waiting
  // ends, the child goes on. On shutdown: as cancelled. The Subprocess must outlive it.
  Co<ExitStatus> wait();
  // How it has ended, if it has.
  std::optional<ExitStatus> poll() noexcept;

  // FailedPrecondition when it has ended: never reaches another process that got its number.
  absl::Status send_signal(int signal);
  absl::Status terminate();
  absl::Status kill();
  // To every process of the child's group (new_group); the same errors.
  absl::Status send_signal_to_group(int signal);

  // Writes all of `input` and closes it, reads output and errors to their ends, at most `limit`
  // bytes each, and waits. Wakes when all of it is done. ResourceExhausted above the limit: the
  // child has been killed. A child that does not read all of its input is no error. On cancel: at
  // once, the child goes on, what was read is lost. On shutdown: as cancelled.
  Co<absl::StatusOr<Communicated>> communicate(std::string input, std::size_t limit);

 private:
  struct Child;
  explicit Subprocess(std::unique_ptr<Child> child) noexcept;
  std::unique_ptr<Child> child_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_PROCESS_SUBPROCESS_H_

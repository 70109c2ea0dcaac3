#include "plugins/exec/run.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <span>
#include <utility>

#include "services/async/descriptor.h"
#include "services/async/net/io_error.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::exec {
namespace {

constexpr std::size_t kChunkBytes = 64 << 10;
// All that the command wrote is in the pipes when it ends. A pipe that is still open then is held
// by a process that has left its group.
constexpr absl::Duration kDrain = absl::Seconds(1);
constexpr absl::Duration kReap = absl::Seconds(1);

// The kernel resolves the path: neither ".." nor links lead out of the configured folder.
absl::StatusOr<Descriptor> open_folder(const std::string& root, const std::string& below) {
  Descriptor base(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!base.is_open()) return io_error(errno, str_cat("open the configured folder '", root, "'"));
  if (below.empty()) return base;
  open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  Descriptor folder(
      static_cast<int>(::syscall(SYS_openat2, base.fd(), below.c_str(), &how, sizeof how)));
  if (!folder.is_open()) {
    const int error = errno;
    if (error != EXDEV && error != ELOOP) {
      return io_error(error, str_cat("run in the folder '", below, "'"));
    }
    return absl::PermissionDeniedError(
        str_cat("folder: '", below, "' leads out of '", root, "', the configured folder"));
  }
  return folder;
}

// [worker] Looks at the file system, and waits for the kernel to load the program.
absl::StatusOr<Subprocess> start(const Config* config, const Request* request) {
  const absl::StatusOr<Descriptor> folder = open_folder(config->folder, request->folder);
  if (!folder.ok()) return folder.status();
  SubprocessOptions options;
  options.input = request->input.empty() ? Stdio::kNull : Stdio::kPipe;
  options.errors = Stdio::kPipe;
  options.environment = request->environment;
  // The child has the descriptor until it executes the program.
  options.directory = str_cat("/proc/self/fd/", folder->fd());
  options.new_group = true;
  options.group_ends_with_child = true;
  return Subprocess::start(request->argv, options);
}

Co<void> feed(Subprocess* process, const std::string& input) {
  if (input.empty()) co_return;
  (void)co_await process->input().write(input);  // it need not read all of it
  process->input().close();
}

Co<void> listen(Stream& stream, std::uint64_t limit, Output* output) {
  std::string chunk(kChunkBytes, '\0');
  for (;;) {
    const absl::StatusOr<std::size_t> got = co_await stream.read_some(chunk);
    if (!got.ok() || *got == 0) co_return;
    output->total += *got;
    const std::uint64_t room = limit - output->bytes.size();
    output->bytes.append(chunk, 0, std::min<std::uint64_t>(*got, room));
  }
}

Co<void> listen_to_both(Subprocess* process, std::uint64_t limit, Result* result) {
  (void)co_await gather_settled(listen(process->output(), limit, &result->output),
                                listen(process->errors(), limit, &result->errors));
}

Co<void> until_end(Task<void> task) { (void)co_await task; }

Co<void> attend(TaskGroup& group, Subprocess* process, const Request& request, Result* result) {
  (void)group.spawn(feed, process, std::cref(request.input));
  const Task<void> listening =
      group.spawn(listen_to_both, process, request.output_bytes_max, result);
  result->ended = co_await process->wait();
  (void)co_await timeout(kDrain, until_end(listening));
  group.cancel();
}

Co<void> stop(Subprocess* process, absl::Duration grace) {
  (void)process->send_signal_to_group(SIGTERM);
  const absl::StatusOr<ExitStatus> gone = co_await timeout(grace, process->wait());
  if (gone.ok()) co_return;
  (void)process->send_signal_to_group(SIGKILL);
  (void)co_await timeout(kReap, process->wait());
}

}  // namespace

Co<absl::StatusOr<Result>> run(const Config& config, const Request& request) {
  const absl::Time begin = now();
  const Config* limits = &config;
  const Request* wanted = &request;
  absl::StatusOr<Subprocess> process = co_await offload(&start, limits, wanted);
  if (!process.ok()) co_return process.status();
  Result result;
  CancelScope scope(begin + request.timeout);
  const Outcome<void> outcome = co_await scope.run(with_group(attend, &*process, request, &result));
  if (outcome.cancelled()) co_await shield(stop(&*process, config.grace));
  // From outside: this coroutine ends here, and the process with it.
  co_await yield_now();
  if (outcome.cancelled()) {
    co_return absl::UnavailableError(
        str_cat("exec ", request.command, ": not done after ", format_duration(request.timeout),
                " (timeout); stopped after ", result.output.total, " bytes of output"));
  }
  result.elapsed_ms = absl::ToInt64Milliseconds(now() - begin);
  co_return result;
}

}  // namespace fermata::exec

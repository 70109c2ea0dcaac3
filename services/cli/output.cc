#include "services/cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "services/cli/cat.h"

namespace fermata::cli {

bool Output::write(std::string_view text) {
  while (!text.empty() && open()) {
    const ssize_t n = ::write(terminal_.fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      // Somebody made the shared terminal non-blocking.
      pollfd wait = {terminal_.fd, POLLOUT, 0};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  return open();
}

bool Output::write_line(std::string_view text) { return write(cat(text, "\n")); }

int Output::flush() {
  // Closing any descriptor of the file asks the file system, and leaves ours alone.
  const int copy = ::dup(terminal_.fd);
  if (copy < 0) return 0;  // never open: a write has told, if there was one
  return ::close(copy) == 0 ? 0 : errno;
}

ExitCode end_with(ExitCode code, Output& out) {
  const int error = out.open() ? out.flush() : out.error();
  if (error == 0 || error == EPIPE) return code;
  Output(Terminal{.fd = 2})
      .write_line(cat("fermata: the output could not be written: ", std::strerror(error),
                      "; a job's result is kept: fermata get --result JOB prints it again"));
  return code == ExitCode::kOk ? ExitCode::kOutputLost : code;
}

ExitCode print(std::string_view text, ExitCode code) {
  Output out(Terminal{.fd = 1});
  out.write(text);
  return end_with(code, out);
}

}  // namespace fermata::cli

#include "services/cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
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

}  // namespace fermata::cli

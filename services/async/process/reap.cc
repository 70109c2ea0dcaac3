#include "services/async/process/reap.h"

#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <mutex>
#include <vector>

#include "services/async/check.h"

namespace fermata {
namespace {

constinit std::mutex traced_mutex;

std::vector<pid_t>& traced() {  // under traced_mutex
  static auto* const pids = new std::vector<pid_t>;
  return *pids;
}

// What waitpid() answers.
pid_t take(pid_t pid, int& status, int flags) noexcept {
  pid_t taken = 0;
  do {
    taken = ::waitpid(pid, &status, flags);
  } while (taken < 0 && errno == EINTR);
  return taken;
}

}  // namespace

std::optional<int> reap(pid_t pid, int pidfd) noexcept {
  pollfd ended = {pidfd, POLLIN, 0};
  while (pidfd >= 0 && ::poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
  const std::lock_guard lock(traced_mutex);
  int status = 0;
  std::erase_if(traced(), [&status](pid_t one) { return take(one, status, WNOHANG) != 0; });
  const pid_t taken = take(pid, status, pidfd >= 0 ? WNOHANG : 0);
  FERMATA_CHECK(taken >= 0, "somebody else waited for this child, or SIGCHLD is ignored");
  if (taken == pid) return status;
  traced().push_back(pid);
  return std::nullopt;
}

}  // namespace fermata

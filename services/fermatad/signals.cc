#include "services/fermatad/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

// What a handler may touch: a descriptor that is set before the handlers are, and a flag that only
// the handler writes. Handlers for the two signals block each other, so there is no race on it.
int g_event_fd = -1;
volatile sig_atomic_t g_arrived = 0;

template <size_t N>
void say(const char (&text)[N]) {
  const ssize_t written = write(STDERR_FILENO, text, N - 1);
  static_cast<void>(written);  // nothing to be done about it in a handler
}

void on_stop(int) {
  const int saved = errno;
  if (g_arrived != 0) {
    say("fermatad: second signal, leaving at once\n");
    _exit(Signals::kSecondSignal);
  }
  g_arrived = 1;
  const uint64_t one = 1;
  const ssize_t written = write(g_event_fd, &one, sizeof one);
  static_cast<void>(written);
  errno = saved;
}

void on_stuck(int) {
  say("fermatad: the drain did not come to an end in time, leaving\n");
  _exit(Signals::kStuck);
}

}  // namespace

absl::Status Signals::install() {
  g_event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (g_event_fd < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot make an eventfd: ", strerror(errno)));
  }
  struct sigaction stop = {};
  stop.sa_handler = &on_stop;
  stop.sa_flags = SA_RESTART;
  sigaddset(&stop.sa_mask, SIGTERM);
  sigaddset(&stop.sa_mask, SIGINT);
  sigaction(SIGTERM, &stop, nullptr);
  sigaction(SIGINT, &stop, nullptr);
  struct sigaction stuck = {};
  stuck.sa_handler = &on_stuck;
  sigaction(SIGALRM, &stuck, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a client that is gone is an error of its own write
  return absl::OkStatus();
}

Co<absl::Status> Signals::wait() {
  const absl::Status ready = co_await readable(g_event_fd);
  co_return ready;
}

bool Signals::arrived() { return g_arrived != 0; }

void Signals::arm_watchdog(absl::Duration limit) {
  const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(limit, absl::Seconds(1)));
  alarm(static_cast<unsigned>(std::clamp<int64_t>(seconds, 1, 24 * 3600)));
}

}  // namespace fermata

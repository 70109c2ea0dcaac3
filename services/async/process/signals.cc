#include "services/async/process/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/async/net/io_error.h"

namespace fermata {
namespace {

// Where the handler of a signal writes; 0: nobody has the signal. A handler sees nothing but
// globals, and lock-free atomics are all it may touch. A pipe's number is never 0 here.
std::array<std::atomic<int>, NSIG> pipe_of{};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal) noexcept {
  const int saved = errno;
  const int fd = pipe_of[static_cast<std::size_t>(signal)].load(std::memory_order_relaxed);
  const unsigned char byte = static_cast<unsigned char>(signal);
  if (fd > 0) (void)!write(fd, &byte, 1);  // full: there are 64 KiB of them to be handled first
  errno = saved;
}

}  // namespace

absl::StatusOr<SignalSet> SignalSet::make(std::vector<int> signals, Repeat repeat) {
  SignalSet set;
  int fds[2] = {-1, -1};
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return io_error(errno, "make a pipe for signals");
  set.read_ = Descriptor(fds[0]);
  set.write_ = Descriptor(fds[1]);
  FERMATA_CHECK(set.write_.fd() > 0, "a pipe's second end is never descriptor 0");
  for (const int signal : signals) {
    if (signal <= 0 || signal >= NSIG) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a signal from 1 to ", NSIG - 1, "; got ", signal));
    }
    int free = 0;
    if (!pipe_of[static_cast<std::size_t>(signal)].compare_exchange_strong(free, set.write_.fd())) {
      return absl::AlreadyExistsError(
          absl::StrCat("signal ", signal, " is awaited by another SignalSet; use that one"));
    }
    struct sigaction action{};
    action.sa_handler = &on_signal;
    action.sa_flags = SA_RESTART;
    if (repeat == Repeat::kOnce) action.sa_flags |= static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    struct sigaction before{};
    if (sigaction(signal, &action, &before) != 0) {
      pipe_of[static_cast<std::size_t>(signal)] = 0;
      return io_error(errno, absl::StrCat("await signal ", signal));
    }
    set.taken_.push_back(Taken{signal, before});
  }
  return set;
}

SignalSet::~SignalSet() {
  for (const Taken& taken : taken_) {
    sigaction(taken.signal, &taken.before, nullptr);
    pipe_of[static_cast<std::size_t>(taken.signal)] = 0;
  }
}

Co<int> SignalSet::next() {
  for (;;) {
    unsigned char byte = 0;
    const ssize_t got = read(read_.fd(), &byte, 1);
    if (got == 1) co_return byte;
    FERMATA_CHECK(got < 0 && (errno == EAGAIN || errno == EINTR), "the pipe of a SignalSet broke");
    absl::Status status = co_await read_.readable();
    FERMATA_CHECK(status.ok(), "a pipe can be waited for");
  }
}

}  // namespace fermata

#include "services/async/process/pipe.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "services/async/net/io_error.h"
#include "services/async/net/transport.h"

namespace fermata {
namespace {

// While one exists, this thread gets no SIGPIPE: write() has no MSG_NOSIGNAL.
class NoSigpipe {
 public:
  NoSigpipe() noexcept {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  ~NoSigpipe() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  // The write raised one: takes it back, unless somebody else's waits there too.
  void discard() noexcept {
    const timespec at_once{};
    if (!was_pending_) sigtimedwait(&sigpipe_, nullptr, &at_once);
  }

 private:
  sigset_t sigpipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

class PipeTransport final : public Transport {
 public:
  explicit PipeTransport(Descriptor pipe) noexcept : pipe_(std::move(pipe)) {}

  std::ptrdiff_t try_recv(std::span<char> into) noexcept override {
    ssize_t got = -1;
    do {
      got = read(pipe_.fd(), into.data(), into.size());
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
  }
  std::ptrdiff_t try_send(std::string_view bytes) noexcept override {
    NoSigpipe quiet;
    ssize_t sent = -1;
    do {
      sent = write(pipe_.fd(), bytes.data(), bytes.size());
    } while (sent < 0 && errno == EINTR);
    const int error = sent < 0 ? errno : 0;
    if (error == EPIPE) quiet.discard();
    return sent < 0 ? -error : sent;
  }
  // To end a pipe is to close it.
  int shutdown_write() noexcept override {
    pipe_.close();
    return 0;
  }
  const Address& peer() const noexcept override { return nobody_; }
  Address local() const override { return nobody_; }

 private:
  int watch_ready(IoWatch& watch) noexcept override { return pipe_.watch(watch); }
  void unwatch_ready(IoWatch& watch) noexcept override { Loop::current().unwatch(watch); }

  Descriptor pipe_;
  Address nobody_;
};

}  // namespace

absl::StatusOr<Stream> stream_from_pipe(Descriptor pipe) {
  const int flags = fcntl(pipe.fd(), F_GETFL);
  if (flags < 0 || fcntl(pipe.fd(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return io_error(errno, "make a pipe non-blocking");
  }
  return Stream(std::make_unique<PipeTransport>(std::move(pipe)));
}

}  // namespace fermata

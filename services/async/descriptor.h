// Descriptor: a non-blocking socket, pipe or device that this object owns and closes.
//
//   for (;;) {
//     ssize_t got = recv(peer.fd(), …);
//     if (got > 0 || got == 0) …                    // data, or the end
//     if (errno == EAGAIN) { co_await Try(peer.readable()); continue; }
//   }
//
// Why not readable(fd): a loop that knows that nobody else closes the descriptor tells the kernel
// about it once, not at every wait, and remembers the readiness that comes while nobody waits. So a
// wait says "something new", not "ready": try first, and wait only when the call said EAGAIN, or,
// on a stream, moved less than it was asked to (then there was no more; the call that would say
// EAGAIN can be saved). A wake-up may be for nothing: the call then says EAGAIN again. The end of
// a stream and its errors are never forgotten: waits then end at once.
//
// Movable while nobody waits. Belongs to the loop whose thread first waits for it; may be made
// before that, anywhere. Leaf operations of their own (streams) derive from Suspension and IoWatch,
// as IoReady in io.h does, and begin with Descriptor::watch().
#ifndef SERVICES_ASYNC_DESCRIPTOR_H_
#define SERVICES_ASYNC_DESCRIPTOR_H_

#include <utility>

#include "services/async/io.h"
#include "services/async/loop.h"

namespace fermata {

class Descriptor {
 public:
  Descriptor() noexcept = default;
  // Takes ownership of `fd`, which must be non-blocking (SOCK_NONBLOCK, O_NONBLOCK).
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), loop_(std::exchange(other.loop_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this == &other) return *this;
    close();
    fd_ = std::exchange(other.fd_, -1);
    loop_ = std::exchange(other.loop_, nullptr);
    return *this;
  }
  ~Descriptor() { close(); }

  int fd() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  // Closes it now. Who waits for it wakes with an error.
  void close() noexcept;
  // Gives the descriptor away, open and no longer known to the loop.
  [[nodiscard]] int release() noexcept;

  // Wakes when a read that would have blocked may be tried again; the peer's end and errors count.
  // On cancel: at once. On shutdown: as cancelled.
  IoReady readable() noexcept { return wait(IoWatch::Interest::kRead); }
  // The same for a write.
  IoReady writable() noexcept { return wait(IoWatch::Interest::kWrite); }

  // Below the awaitables: Loop::watch() on the current loop for this descriptor, with kEdge. Takes
  // watch.interest and watch.fired. What it returns is what Loop::watch() returns.
  int watch(IoWatch& watch) noexcept {
    attach();
    watch.fd = fd_;
    watch.mode = IoWatch::Mode::kEdge;
    return Loop::current().watch(watch);
  }
  // To be called before a system call that reads (or writes): whatever became ready until then is
  // answered by it, and the next wait is for what comes after. Without it a wait may end for
  // nothing, once. readable() and writable() do it when they end.
  void clear_news(IoWatch::Interest interest) noexcept {
    if (loop_ != nullptr && loop_ == Loop::current_or_null()) {
      Loop::current().clear_news(fd_, interest);
    }
  }

 private:
  IoReady wait(IoWatch::Interest interest) noexcept {
    attach();
    return IoReady(fd_, interest, IoWatch::Mode::kEdge);
  }
  void attach() noexcept {
    if (loop_ != Loop::current_or_null()) attach_slow();
  }
  void attach_slow() noexcept;
  void detach() noexcept;

  int fd_ = -1;
  // Whose watches it is in: compared with the current loop, never followed, as it may be gone.
  const Loop* loop_ = nullptr;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_DESCRIPTOR_H_

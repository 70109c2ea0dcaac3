// readable, writable: wait for a descriptor.
//
// Readiness only: the read or write is the caller's, and may still say EAGAIN. Ok also for an error
// or a hang-up, which the call will then report. A file is always ready. The descriptor stays the
// caller's, and must stay open while it is waited for. Any number of coroutines may wait.
#ifndef SERVICES_ASYNC_IO_H_
#define SERVICES_ASYNC_IO_H_

#include <coroutine>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/scope.h"

namespace fermata {

class [[nodiscard]] IoReady final : public Suspension, private IoWatch {
 public:
  IoReady(int fd, Interest interest, Mode mode = Mode::kOneShot) noexcept
      : Suspension(&IoReady::stop), IoWatch(fd, interest, &IoReady::on_ready, mode) {}
  ~IoReady() { unwatch(); }
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    if (park(detail::untyped(frame))) start();
  }
  absl::Status await_resume() const;

 private:
  void start() noexcept;
  void unwatch() noexcept {
    if (std::exchange(watching_, false)) Loop::current().unwatch(*this);
  }
  static void on_ready(IoWatch& watch) noexcept;
  static bool stop(Suspension& self) noexcept {
    static_cast<IoReady&>(self).unwatch();
    return true;
  }
  bool watching_ = false;
};

// Wakes when a read would not block. On cancel: at once. On shutdown: as cancelled.
inline IoReady readable(int fd) noexcept { return IoReady(fd, IoWatch::Interest::kRead); }
// Wakes when a write would not block. On cancel: at once. On shutdown: as cancelled.
inline IoReady writable(int fd) noexcept { return IoReady(fd, IoWatch::Interest::kWrite); }

}  // namespace fermata

#endif  // SERVICES_ASYNC_IO_H_

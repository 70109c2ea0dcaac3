// EpollLoop: the loop on epoll, which every Linux has.
//
//   EpollLoop loop;
//   absl::Status status = loop.run(serve, std::ref(listener));
//
// A Descriptor is added once, edge-triggered, and once more changed if it is waited for in the
// other direction too. Any other descriptor is armed at every wait, one-shot, since its owner may
// close it at any time without a word.
#ifndef SERVICES_ASYNC_EPOLL_LOOP_H_
#define SERVICES_ASYNC_EPOLL_LOOP_H_

#include <cstddef>
#include <cstdint>

#include "services/async/kernel_loop.h"

struct epoll_event;

namespace fermata {

class EpollLoop final : public KernelLoop {
 public:
  explicit EpollLoop(std::size_t offload_threads = kOffloadThreads);
  ~EpollLoop() override;

  const char* kind() const noexcept override { return "epoll"; }

 private:
  void poll_kernel(std::int64_t wait_ns) noexcept override;
  int arm(int fd, WatchTable::Entry& entry, std::uint32_t events) noexcept override;
  void disarm(int fd, WatchTable::Entry& entry) noexcept override;
  int watch_once(IoWatch& watch) noexcept override;
  void unwatch_once(IoWatch& watch) noexcept override;

  int wait_for_events(epoll_event* events, std::int64_t wait_ns) noexcept;
  void dispatch(const epoll_event& event) noexcept;
  int rearm_once(int fd, WatchTable::Entry& entry) noexcept;
  // ADD or MOD; whichever fails, as the descriptor was closed or opened since, the other is right.
  int tell(int fd, WatchTable::Entry& entry, std::uint32_t events) noexcept;

  int epoll_fd_ = -1;
  bool has_pwait2_ = true;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_EPOLL_LOOP_H_

// EpollLoop: the real loop, on epoll, an eventfd and a small pool of threads for offload().
//
//   EpollLoop loop;
//   absl::Status status = loop.run(serve, std::ref(listener));
//
// May be made on any thread; runs on the one that calls run(). Other threads may call post().
#ifndef SERVICES_ASYNC_EPOLL_LOOP_H_
#define SERVICES_ASYNC_EPOLL_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/async/main_loop.h"
#include "services/async/offload_pool.h"

struct epoll_event;

namespace fermata {

class EpollLoop final : public MainLoop {
 public:
  static constexpr std::size_t kOffloadThreads = 4;

  explicit EpollLoop(std::size_t offload_threads = kOffloadThreads);
  ~EpollLoop() override;

  int watch(IoWatch& watch) noexcept override;
  void unwatch(IoWatch& watch) noexcept override;
  void forget(int fd) noexcept override;
  void offload(OffloadJob& job) noexcept override;
  bool withdraw(OffloadJob& job) noexcept override;

 private:
  // Everybody who waits for one descriptor, and what epoll was last told about it.
  struct Watched {
    IoWatch* watches = nullptr;
    std::uint32_t armed = 0;
  };

  void turn() noexcept override;
  void poll() noexcept;
  void poll_kernel(std::int64_t wait_ns) noexcept;
  void dispatch(const epoll_event& event) noexcept;
  // Unlinks one watch of `fd` that these events are for and that is not newer than `newest`.
  IoWatch* take_ready(int fd, std::uint32_t events, std::uint64_t newest) noexcept;
  int rearm(int fd, Watched& watched) noexcept;
  std::int64_t read_clock_ns() noexcept override;
  void wake_from_sleep() noexcept override;

  int epoll_fd_ = -1;
  int event_fd_ = -1;
  bool has_pwait2_ = true;
  std::int64_t busy_since_ns_ = 0;
  std::size_t watching_ = 0;
  std::uint64_t watches_made_ = 0;
  std::size_t steps_since_poll_ = 0;
  std::vector<Watched> watched_;  // by descriptor
  std::optional<OffloadPool> pool_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_EPOLL_LOOP_H_

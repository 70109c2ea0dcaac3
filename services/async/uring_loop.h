// UringLoop: the loop on io_uring. The same waits for readiness as EpollLoop, without a system call
// for any of them: they go into the kernel together with the next wait.
//
//   absl::StatusOr<std::unique_ptr<UringLoop>> loop = UringLoop::make();
//   if (loop.ok()) return (*loop)->run(serve, std::ref(listener));
//
// A Descriptor has one multishot poll for reading, as long as it lives, and a poll for each wait to
// write; any other descriptor has one for each wait. Every poll carries a number that is never used
// again soon, so that what completes after nobody wants it is told apart.
//
// Streams send through it (send_soon()): what the tasks of a turn write goes into the kernel at the
// end of the turn, for one system call. A sixth more requests per second of CPU (TCP echo, 64
// bytes).
//
// The kernel holds on to a file while a poll for it is pending. So a Descriptor that closes ends
// its poll first, with a system call, and is really closed; a wait on another descriptor that is
// cancelled lets go of the file when the loop next waits.
#ifndef SERVICES_ASYNC_URING_LOOP_H_
#define SERVICES_ASYNC_URING_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/kernel_loop.h"

namespace fermata {

class UringRing;

class UringLoop final : public KernelLoop {
 public:
  // Unavailable where the kernel does not offer io_uring; the message says why.
  static absl::StatusOr<std::unique_ptr<UringLoop>> make(
      std::size_t offload_threads = kOffloadThreads);
  ~UringLoop() override;

  const char* kind() const noexcept override { return "io_uring"; }

 private:
  // A wait of its own, or a send: what it is in the kernel carries the slot's index and generation.
  struct Slot {
    IoWatch* watch = nullptr;
    std::uint32_t generation = 0;
  };

  UringLoop(std::unique_ptr<UringRing> ring, std::size_t offload_threads);

  void enter_thread() noexcept override;
  void poll_kernel(std::int64_t wait_ns) noexcept override;
  int arm(int fd, WatchTable::Entry& entry, std::uint32_t events) noexcept override;
  void disarm(int fd, WatchTable::Entry& entry) noexcept override;
  int watch_once(IoWatch& watch) noexcept override;
  void unwatch_once(IoWatch& watch) noexcept override;
  bool send_soon(IoWatch& watch, std::string_view bytes) noexcept override;

  void listen_for_wakes() noexcept;
  std::uint32_t take_slot(IoWatch& watch) noexcept;
  void complete_once(std::uint64_t user_data, int result) noexcept;
  void complete_send(std::uint64_t user_data, int result) noexcept;
  void complete_edge(std::uint64_t user_data, int result, bool more) noexcept;
  void free_slot(std::size_t index) noexcept;

  std::unique_ptr<UringRing> ring_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_URING_LOOP_H_

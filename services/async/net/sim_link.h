// SimLink: one simulated connection, with the behaviour of a kernel's. Two directions, each a queue
// of what is under way and unread; the Transports of both ends share it, and it lives until both
// are gone.
//
//   end 0 ── try_send ──▶ [ chunk, arrives at t ] [ chunk ] ──▶ try_recv ── end 1
//
// As on Linux: closing an end lets the peer read what was sent, and then the end; if the closing
// end had not read everything, the peer reads what was sent, and then ECONNRESET. Writing to a
// closed end is EPIPE. Bytes arrive in order, each chunk after a drawn delay.
#ifndef SERVICES_ASYNC_NET_SIM_LINK_H_
#define SERVICES_ASYNC_NET_SIM_LINK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "services/async/loop.h"
#include "services/async/net/address.h"
#include "services/async/net/sim_faults.h"
#include "services/async/net/transport.h"

namespace fermata {

// What all links of one network draw from.
struct SimWorld {
  SimWorld(std::uint64_t seed, const SimFaults& faults) : random(seed), faults(faults) {}
  SimRandom random;
  SimFaults faults;
  std::uint64_t resets = 0;  // so far
};

// Calls back whoever waits in `slot`.
inline void fire(IoWatch*& slot) noexcept {
  if (IoWatch* watch = std::exchange(slot, nullptr)) watch->fired(*watch);
}

// One direction.
class SimPipe : private Timer {
 public:
  explicit SimPipe(std::shared_ptr<SimWorld> world) noexcept
      : Timer(&SimPipe::arrival), world_(std::move(world)) {}

  std::ptrdiff_t receive(std::span<char> into) noexcept;
  std::ptrdiff_t send(std::string_view bytes) noexcept;
  // The last chunk: the end of the stream (0), or an errno.
  void finish(int error) noexcept;
  // Now, on both sides, and what was under way is lost.
  void reset() noexcept;
  void close_reader() noexcept { reader_closed_ = true; }
  bool has_unread() const noexcept { return bytes_ > 0; }

  void watch_reader(IoWatch* watch) noexcept;
  void watch_writer(IoWatch* watch) noexcept { writer_ = watch; }

 private:
  struct Chunk {
    std::int64_t arrives_ns;
    std::string bytes;  // empty: the stream ends here, with `error`
    int error = 0;
  };
  std::int64_t arrival_ns() noexcept;
  static void arrival(Timer& timer) noexcept;

  std::shared_ptr<SimWorld> world_;
  std::deque<Chunk> chunks_;
  std::size_t offset_ = 0;  // of the first chunk, read already
  std::size_t bytes_ = 0;   // in all chunks, unread
  bool finished_ = false;
  bool reader_closed_ = false;
  bool reset_ = false;
  IoWatch* reader_ = nullptr;
  IoWatch* writer_ = nullptr;
};

class SimLink {
 public:
  explicit SimLink(std::shared_ptr<SimWorld> world)
      : world_(world), pipes_{SimPipe(world), SimPipe(world)} {}

  // The two ends of a new link.
  static std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> make(
      std::shared_ptr<SimWorld> world, Address a, Address b);

 private:
  friend class SimTransport;
  std::shared_ptr<SimWorld> world_;
  std::array<SimPipe, 2> pipes_;  // pipes_[i] is written by end i
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_SIM_LINK_H_

// What may go wrong on a simulated network, and how often. Every fault is a ratio from 0 to 1,
// drawn anew each time it could happen; the default is a fast network where nothing goes wrong.
#ifndef SERVICES_ASYNC_NET_SIM_FAULTS_H_
#define SERVICES_ASYNC_NET_SIM_FAULTS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "services/async/splitmix.h"

namespace fermata {

struct SimFaults {
  SimFaults() {}
  // Every delay and every size is drawn; which faults there are at all is drawn too, since rare
  // troubles hide behind frequent ones. Nothing breaks for good: resets and refusals stay at 0.
  static SimFaults rough(std::uint64_t seed);

  absl::Duration min_delay = absl::Microseconds(50);  // of what is written, until it arrives
  absl::Duration max_delay = absl::Milliseconds(1);
  double stall = 0;  // what is written takes `stall_delay` longer
  absl::Duration stall_delay = absl::Seconds(3);
  double partial_read = 0;   // a read gets a part of what is there
  double partial_write = 0;  // a write takes a part of what there is room for
  double reset = 0;          // a write finds the connection broken; what was under way is lost
  double refuse = 0;         // connect() is told that nobody listens
  double shortage = 0;       // accept() is out of descriptors
  // What one direction holds, under way and unread, before writes wait.
  std::size_t buffer_bytes = 64 * 1024;
};

// The draws of one simulation.
class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
  bool chance(double ratio) noexcept {
    constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53
    return ratio > 0 && static_cast<double>(next() >> 11) * kUnit < ratio;
  }
  absl::Duration between(absl::Duration least, absl::Duration most) noexcept {
    const std::int64_t span_ns = absl::ToInt64Nanoseconds(most - least);
    return least + absl::Nanoseconds(below(static_cast<std::uint64_t>(span_ns) + 1));
  }

 private:
  std::uint64_t next() noexcept { return detail::splitmix64(state_); }
  std::uint64_t state_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_SIM_FAULTS_H_

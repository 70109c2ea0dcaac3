// StallDetector: decides from outside when a loop has been in one step for too long.
//
// Pure arithmetic on what it is told, so that it can be tested without waiting. The loop counts its
// steps; the same count seen for longer than the threshold, while the loop is not waiting in the
// kernel, is a stall. Each stall is told once, and so many a minute at most: a loop that stalls all
// the time must not drown in reports of it.
#ifndef SERVICES_ASYNC_STALL_DETECTOR_H_
#define SERVICES_ASYNC_STALL_DETECTOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace fermata {

class StallDetector {
 public:
  StallDetector(absl::Duration threshold, std::size_t per_minute) noexcept
      : threshold_(threshold), per_minute_(per_minute) {}

  // How long the loop has been stalled, if that is to be reported now.
  std::optional<absl::Duration> observe(std::uint64_t pulse, bool asleep, absl::Time now) noexcept {
    if (asleep || pulse != pulse_) {
      pulse_ = pulse;
      since_ = now;
      told_ = false;
      return std::nullopt;
    }
    const absl::Duration stalled = now - since_;
    if (told_ || stalled < threshold_) return std::nullopt;
    told_ = true;
    ++stalls_;
    if (now - minute_ >= absl::Minutes(1)) {
      minute_ = now;
      told_this_minute_ = 0;
    }
    if (told_this_minute_ == per_minute_) return std::nullopt;
    ++told_this_minute_;
    return stalled;
  }

  // Also those that were not reported.
  std::uint64_t stalls() const noexcept { return stalls_; }

 private:
  const absl::Duration threshold_;
  const std::size_t per_minute_;
  std::uint64_t pulse_ = ~std::uint64_t{0};
  absl::Time since_ = absl::InfinitePast();
  bool told_ = false;
  std::uint64_t stalls_ = 0;
  absl::Time minute_ = absl::InfinitePast();
  std::size_t told_this_minute_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_STALL_DETECTOR_H_

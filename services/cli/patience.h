#pragma once

// How long a lost server is waited for: from the moment it was lost, whenever it was heard before.

#include <optional>

#include "absl/time/time.h"

namespace fermata::cli {

class Patience {
 public:
  explicit Patience(absl::Duration length) : length_(length) {}

  // The server said something: what was lost is found.
  void heard() { lost_at_.reset(); }
  // Whether it is lost.
  bool waits() const { return lost_at_.has_value(); }
  // It is lost, or still is. Until when to wait for it.
  absl::Time lost(absl::Time now) {
    if (!lost_at_.has_value()) lost_at_ = now;
    return *lost_at_ + length_;
  }

 private:
  const absl::Duration length_;
  std::optional<absl::Time> lost_at_;
};

}  // namespace fermata::cli

// JobIds: UUIDv7 (RFC 9562) text, strictly ascending within one engine.
//
// 48 bits of milliseconds, 12 bits that count within one (method 1 of section 6.2), 62 random bits.
// Ascending ids make lists "newest first" and store indexes append-only. When the clock goes back,
// or more than 4096 ids are made in a millisecond, the millisecond field runs ahead of the clock.
// Loop thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"

namespace fermata {

class JobIds {
 public:
  explicit JobIds(absl::BitGenRef random) : random_(random) {}
  std::string next(absl::Time now);
  // The next ones are above this id of an earlier life, whatever the clock says; "": there is none.
  void start_above(std::string_view id);

 private:
  absl::BitGenRef random_;
  uint64_t last_ = 0;  // milliseconds << 12 | count
};

}  // namespace fermata

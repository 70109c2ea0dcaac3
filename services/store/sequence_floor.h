// Where a life of the engine begins to count the events of the jobs that it takes over.
//
// What an earlier life told its watchers is stored only with the next record of the job, so a new
// one must begin above anything that it may have told. The store remembers where each life began,
// and the next begins above that, or at the clock if it is further: it may have been set back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace fermata {

// More events than one life has, of all the jobs that it takes over, one upon the other.
inline constexpr int64_t kSequencesOfALife = int64_t{1} << 36;

// `last` is the floor of the life before; 0: none is known. 4096 to a millisecond of the clock, so
// that it stays below 2^53, which JavaScript can hold, until 2039.
inline int64_t next_sequence_floor(int64_t last, absl::Time now) {
  const int64_t time = absl::ToUnixMillis(now) * 4096;
  return std::max(time, last == 0 ? 0 : last + kSequencesOfALife);
}

}  // namespace fermata

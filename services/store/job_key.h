// JobKey: a job's id as one ascending number, for stores whose keys are integers.
//
// An id is UUIDv7 text whose first 60 bits of payload (48 of milliseconds, 12 that count within
// one) ascend strictly within a shard and so name the job alone; the random rest does not order
// anything. Whoever looks a job up by key compares the whole id with what it found. Pure functions,
// any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fermata {

using JobKey = int64_t;  // 0 .. 2^60 - 1

// Nothing when `id` is not UUIDv7 text in lower case.
std::optional<JobKey> key_of(std::string_view id);

// The lowest id with this key: where a page ends.
std::string id_floor(JobKey key);

inline constexpr JobKey kJobKeyEnd = JobKey{1} << 60;  // above every key

}  // namespace fermata

#pragma once

// Sizes as people write them: "4MiB", "512KiB", "1GB", "100B", or a plain number of bytes.
// Pure functions, any thread.

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace fermata {

// KB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB of 1024. A fraction is fine if the result
// is whole: "1.5KiB". INVALID_ARGUMENT otherwise, or above 2^62.
absl::StatusOr<uint64_t> parse_bytes(std::string_view text);

// The largest binary unit that divides it: "4MiB", "1000B".
std::string format_bytes(uint64_t bytes);

}  // namespace fermata

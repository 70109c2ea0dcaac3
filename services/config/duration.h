#pragma once

// Durations as people write them: "250ms", "5s", "1m30s", "24h", "1.5s", "2d". A number alone is
// refused except 0, since nobody can tell its unit. Pure functions, any thread.

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata {

// INVALID_ARGUMENT when it is negative, has no unit, or is longer than 10 years.
absl::StatusOr<absl::Duration> parse_duration(std::string_view text);

// "1m30s", "250ms": what parse_duration() reads back.
std::string format_duration(absl::Duration duration);

}  // namespace fermata

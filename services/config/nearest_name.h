#pragma once

// "Did you mean ...?": the known name closest to a misspelt one. Pure function, any thread.

#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace fermata {

// The known name at the smallest edit distance (swapped neighbours count as one edit, case is
// free), or nothing when none is close enough to be a likely misspelling.
std::optional<std::string> nearest_name(std::string_view got, absl::Span<const std::string> known);

// ", did you mean 'retry'?" or "", ready to be added to a message.
std::string did_you_mean(std::string_view got, absl::Span<const std::string> known);

}  // namespace fermata

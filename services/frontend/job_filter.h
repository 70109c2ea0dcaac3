// The filter of Jobs.List: a subset of AIP-160, parsed into what the store can look up.
//
//   filter    = factor { "AND" factor }
//   factor    = condition { "OR" condition } | "(" factor ")"
//   condition = field "=" value
//
// As in AIP-160, OR binds tighter than AND. OR joins conditions on `state` only. What is left out
// of AIP-160 (NOT, other comparisons, has, functions) is refused by name, never ignored: a filter
// that silently matched more than it says would be worse than none. Stateless; any thread.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "services/store/job_store.h"

namespace fermata::frontend {

inline constexpr size_t kMaxFilterBytes = 1024;

// The error says what is wrong, at which character, and what is allowed; the caller names the
// field.
absl::StatusOr<JobFilter> parse_job_filter(std::string_view text);

}  // namespace fermata::frontend

// What is said to a caller who may not, or who asks for too much at once. Reasons:
//   CREDENTIALS_MISSING CREDENTIALS_INVALID CREDENTIALS_EXPIRED   UNAUTHENTICATED
//   CREDENTIALS_CHANGED                                           UNAUTHENTICATED
//   PERMISSION_MISSING                                            PERMISSION_DENIED
//   TOO_MANY_CALLS TOO_MANY_WATCHERS TOO_MANY_CALL_BYTES          RESOURCE_EXHAUSTED  quotas, retry
//
// An unknown id, a wrong secret and a malformed token are told alike. Stateless; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "services/frontend/permission.h"

namespace fermata::frontend {

absl::Status credentials_missing();
absl::Status credentials_invalid();
absl::Status credentials_expired(const Principal& principal);
// To a call that has begun under credentials which are not, or not so, in force any more.
absl::Status credentials_changed(const Principal& principal);

// `queue` is empty when the permission is missing on every queue, or has none.
absl::Status permission_missing(const Principal& principal, Permission permission,
                                std::string_view queue);
// The caller may submit to that queue, but not this work: `what` is "an inline pipeline", ...
absl::Status work_not_granted(const Principal& principal, std::string_view queue,
                              std::string_view what);

}  // namespace fermata::frontend

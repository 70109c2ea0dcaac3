// Retry-After (RFC 9110 section 10.2.3): how long a server asks us to stay away.
//
// Either a number of seconds or one of the three HTTP date forms. Pure function, any thread.
#ifndef FERMATA_PLUGINS_HTTP_RETRY_AFTER_H_
#define FERMATA_PLUGINS_HTTP_RETRY_AFTER_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace fermata::http {

// A server that asks for more than this is taken to mean this: the job's own deadline is shorter.
inline constexpr absl::Duration kRetryAfterMax = absl::Hours(24);

// nullopt when the text is neither form. A date in the past is zero.
std::optional<absl::Duration> parse_retry_after(std::string_view text, absl::Time now);

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_RETRY_AFTER_H_

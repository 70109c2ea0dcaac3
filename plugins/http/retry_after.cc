#include "plugins/http/retry_after.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace fermata::http {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return absl::ascii_isdigit(c); });
}

}  // namespace

std::optional<absl::Duration> parse_retry_after(std::string_view header, absl::Time now) {
  std::string text(header);
  absl::StripAsciiWhitespace(&text);
  if (all_digits(text)) {
    std::int64_t seconds = 0;
    // More digits than fit: a server that says "never".
    if (!absl::SimpleAtoi(text, &seconds)) return kRetryAfterMax;
    return std::min(absl::Seconds(seconds), kRetryAfterMax);
  }
  // All three date forms start with the name of a day; curl_getdate alone takes far more than that.
  if (text.size() < 20 || !absl::ascii_isalpha(static_cast<unsigned char>(text.front()))) {
    return std::nullopt;
  }
  const std::time_t when = curl_getdate(text.c_str(), nullptr);
  if (when == -1) return std::nullopt;
  return std::clamp(absl::FromTimeT(when) - now, absl::ZeroDuration(), kRetryAfterMax);
}

}  // namespace fermata::http

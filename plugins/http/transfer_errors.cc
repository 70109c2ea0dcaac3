// What to say of a transfer that failed, and whether it is worth another attempt.
#include "plugins/http/transfer.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::http {

absl::Status Transfer::error_of(CURLcode result) const {
  const std::string what = str_cat(request_.method, " ", shown_url(request_.url), ": ");
  if (result == CURLE_FILESIZE_EXCEEDED) {
    return absl::OutOfRangeError(str_cat(what, "the body is larger than ",
                                         format_bytes(request_.bytes_max), " (max_bytes)"));
  }
  if (result == CURLE_TOO_MANY_REDIRECTS) {
    return absl::FailedPreconditionError(
        str_cat(what, "more than ", request_.redirects_max, " redirects (max_redirects)"));
  }
  const char* detail = curl::Transfer::detail(result);
  // libcurl has one code for "what answers there does not speak HTTP" and "ftp:// in a redirect".
  const bool not_http = std::string_view(detail).find("HTTP/0.9") != std::string_view::npos;
  return absl::Status(not_http ? absl::StatusCode::kUnavailable : curl::code_of(result),
                      str_cat(what, not_http ? "the answer is not HTTP" : detail));
}

absl::Status Transfer::timed_out() const {
  const std::string what =
      str_cat(request_.method, " ", shown_url(request_.url), ": not done after ",
              format_duration(request_.timeout), " (timeout)");
  long status = 0;
  curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 0) return absl::UnavailableError(str_cat(what, "; no answer yet"));
  return absl::UnavailableError(
      str_cat(what, "; status ", status, ", ", response_.body.size(), " bytes of the body"));
}

}  // namespace fermata::http

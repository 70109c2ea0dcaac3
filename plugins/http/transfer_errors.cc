// What libcurl's error codes mean for a job: which are worth another attempt, and what to say.
#include "plugins/http/transfer.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::http {
namespace {

absl::StatusCode code_of(CURLcode result) {
  switch (result) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:
      return absl::StatusCode::kInvalidArgument;
    // Asking again gets the same answer.
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return absl::StatusCode::kFailedPrecondition;
    case CURLE_FILESIZE_EXCEEDED:
      return absl::StatusCode::kOutOfRange;
    case CURLE_OUT_OF_MEMORY:
      return absl::StatusCode::kResourceExhausted;
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_FAILED_INIT:
      return absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kUnavailable;  // the network's and the server's faults
  }
}

}  // namespace

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
  const char* detail = error_[0] != '\0' ? error_.data() : curl_easy_strerror(result);
  // libcurl has one code for "what answers there does not speak HTTP" and "ftp:// in a redirect".
  const bool not_http = std::string_view(detail).find("HTTP/0.9") != std::string_view::npos;
  return absl::Status(not_http ? absl::StatusCode::kUnavailable : code_of(result),
                      str_cat(what, not_http ? "the answer is not HTTP" : detail));
}

absl::Status Transfer::timed_out() const {
  const std::string what =
      str_cat(request_.method, " ", shown_url(request_.url), ": not done after ",
              format_duration(request_.timeout), " (timeout)");
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 0) return absl::UnavailableError(str_cat(what, "; no answer yet"));
  return absl::UnavailableError(
      str_cat(what, "; status ", status, ", ", response_.body.size(), " bytes of the body"));
}

}  // namespace fermata::http

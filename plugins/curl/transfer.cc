#include "plugins/curl/transfer.h"

#include "services/async/check.h"
#include "services/config/str_cat.h"

namespace fermata::curl {

void Transfer::leave() {
  if (added_) multi_.remove(easy_.get());
  added_ = false;
}

absl::Status Transfer::prepare() {
  if (easy_ == nullptr) return absl::ResourceExhaustedError("curl: no memory for a transfer");
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, error_.data());
  // The loop owns signals; libcurl must not use them.
  set(CURLOPT_NOSIGNAL, 1L);
  // Removing a handle must not wait for its look-up of a name to end.
  set(CURLOPT_QUICK_EXIT, 1L);
  return absl::OkStatus();
}

absl::Status Transfer::begin() {
  const CURLMcode code = multi_.add(easy_.get());
  added_ = code == CURLM_OK;
  if (added_) return absl::OkStatus();
  return absl::InternalError(str_cat("curl: libcurl refused: ", curl_multi_strerror(code)));
}

absl::Status Transfer::add_line(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return absl::ResourceExhaustedError("curl: no memory for a header");
  (void)list.release();
  list.reset(longer);
  return absl::OkStatus();
}

void Transfer::finish(CURLcode result) {
  FERMATA_CHECK(added_ && !done_.is_set(), "a transfer finished twice");
  result_ = result;
  on_end();
  // Now, not when the call gets to run: it gives the connection to the next one.
  multi_.remove(easy_.get());
  added_ = false;
  done_.set();
}

const char* Transfer::detail(CURLcode result) const {
  return error_[0] != '\0' ? error_.data() : curl_easy_strerror(result);
}

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
    case CURLE_USE_SSL_FAILED:
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

}  // namespace fermata::curl

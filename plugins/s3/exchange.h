// One signed request to S3, and its answer, as a coroutine.
//
// libcurl signs (AWS Signature Version 4), over all headers that are set here and the SHA-256 of
// the content. Loop thread only.
#ifndef FERMATA_PLUGINS_S3_EXCHANGE_H_
#define FERMATA_PLUGINS_S3_EXCHANGE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "plugins/curl/multi.h"
#include "plugins/s3/options.h"
#include "services/async/async.h"

namespace fermata::s3 {

struct Answer {
  long status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // lower case
  std::string body;
  std::int64_t elapsed_ms = 0;
  std::string_view header(std::string_view name) const;  // empty: none
};

// Wakes with the answer, whatever its status; verdict() judges it. OutOfRange: the object is larger
// than request.bytes_max. Unavailable: no answer, or not within request.timeout. On cancel: at
// once, the connection is closed. On shutdown: as cancelled. The references outlive it.
Co<absl::StatusOr<Answer>> exchange(curl::Multi& multi, const Config& config,
                                    const Request& request);

// OK for 200; else an error whose code says whether another attempt makes sense. It has S3's code
// and message, and never a key or a signature.
absl::Status verdict(const Request& request, const Answer& answer);

// get: {"bucket","key","bytes","etag","content_type","last_modified","content" or
// "content_base64"}; put: {"bucket","key","bytes","etag","version_id"}.
absl::StatusOr<std::string> render(const Request& request, const Answer& answer);

}  // namespace fermata::s3

#endif  // FERMATA_PLUGINS_S3_EXCHANGE_H_

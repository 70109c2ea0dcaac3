#include "services/async/net/io_error.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace fermata {

absl::Status io_error(int error, const std::string& what) {
  absl::StatusCode code = absl::ErrnoToStatusCode(error);
  switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ETIMEDOUT:  // the connection's, not ours: DeadlineExceeded is kept for our own timeouts
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
      code = absl::StatusCode::kUnavailable;
      break;
    case EADDRINUSE:
      code = absl::StatusCode::kAlreadyExists;
      break;
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      code = absl::StatusCode::kResourceExhausted;
      break;
    default:
      break;
  }
  return absl::Status(code, absl::StrCat("cannot ", what, ": ", std::strerror(error)));
}

}  // namespace fermata

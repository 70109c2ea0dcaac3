#include "plugins/sdk/status_codes.h"

#include <string>

namespace fermata {

fermata_status to_abi(absl::StatusCode code) noexcept {
  switch (code) {
    case absl::StatusCode::kOk:
      return FERMATA_OK;
    case absl::StatusCode::kCancelled:
      return FERMATA_E_CANCELLED;
    case absl::StatusCode::kDeadlineExceeded:
      return FERMATA_E_DEADLINE;
    case absl::StatusCode::kUnavailable:
      return FERMATA_E_UNAVAILABLE;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnknown:
      return FERMATA_E_TRANSIENT;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
      return FERMATA_E_INTERNAL;
    default:  // the input, or the world, is not as the stage needs it: trying again does not help
      return FERMATA_E_INVALID;
  }
}

absl::Status from_abi(fermata_status status, std::string_view message) {
  const std::string text(message);
  switch (status) {
    case FERMATA_OK:
      return absl::OkStatus();
    case FERMATA_E_CANCELLED:
      return absl::CancelledError(text);
    case FERMATA_E_DEADLINE:
      return absl::DeadlineExceededError(text);
    case FERMATA_E_INVALID:
      return absl::InvalidArgumentError(text);
    case FERMATA_E_TRANSIENT:
      return absl::AbortedError(text);
    case FERMATA_E_UNAVAILABLE:
    case FERMATA_E_LOST:
      return absl::UnavailableError(text);
    case FERMATA_E_NOMEM:
      return absl::ResourceExhaustedError(text);
    case FERMATA_E_UNSUPPORTED:
      return absl::UnimplementedError(text);
    default:
      return absl::InternalError(text);
  }
}

}  // namespace fermata

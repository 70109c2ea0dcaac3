// Why a scope was cancelled. The first request wins: a scope that timed out and is then cancelled
// by its parent still says kDeadline.
#ifndef SERVICES_ASYNC_CANCEL_REASON_H_
#define SERVICES_ASYNC_CANCEL_REASON_H_

#include <cstdint>

namespace fermata {

enum class CancelReason : std::uint8_t {
  kNone,           // not cancelled
  kRequested,      // somebody called cancel()
  kDeadline,       // a timeout or a scope's deadline passed
  kSiblingFailed,  // another member of the same group, gather or race ended it
  kShutdown,       // the loop is being closed
  kOverload,       // shed to protect the rest
};

inline constexpr int kCancelReasons = 6;

constexpr const char* to_string(CancelReason reason) noexcept {
  switch (reason) {
    case CancelReason::kNone:
      return "not cancelled";
    case CancelReason::kRequested:
      return "cancelled on request";
    case CancelReason::kDeadline:
      return "deadline exceeded";
    case CancelReason::kSiblingFailed:
      return "cancelled because a sibling ended first";
    case CancelReason::kShutdown:
      return "cancelled by shutdown";
    case CancelReason::kOverload:
      return "cancelled by overload";
  }
  return "cancelled";
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_CANCEL_REASON_H_

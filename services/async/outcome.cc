#include "services/async/outcome.h"

#include <exception>

#include "absl/strings/str_cat.h"

namespace fermata::detail {

absl::Status cancelled_status(CancelReason reason) {
  if (reason == CancelReason::kDeadline) return absl::DeadlineExceededError(to_string(reason));
  return absl::CancelledError(to_string(reason));
}

absl::Status exception_status(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("uncaught exception: ", error.what()));
  } catch (...) {
    return absl::InternalError("uncaught exception of a type without what()");
  }
}

}  // namespace fermata::detail

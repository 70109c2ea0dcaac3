#include "services/async/outcome.h"

#include <array>
#include <cstddef>
#include <exception>

#include "absl/strings/str_cat.h"

namespace fermata::detail {
namespace {

using Statuses = std::array<absl::Status, kCancelReasons>;

Statuses make_statuses() {
  Statuses statuses;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const CancelReason reason = static_cast<CancelReason>(i);
    statuses[i] = reason == CancelReason::kDeadline ? absl::DeadlineExceededError(to_string(reason))
                                                    : absl::CancelledError(to_string(reason));
  }
  return statuses;
}

}  // namespace

const absl::Status& cancelled_status(CancelReason reason) {
  static const Statuses& statuses = *new Statuses(make_statuses());
  return statuses[static_cast<std::size_t>(reason)];
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

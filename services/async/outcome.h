// Outcome<T>: how a body ended. A value, an error, or cancelled for a reason.
//
// This is what the catch points give: awaiting a Task, CancelScope::run, gather_settled. Bodies
// that return Status or StatusOr<T> are folded, so there is one place to look: an Outcome is never
// "ok, holding an error". An exception that left the body is kInternal with its what(). The value
// must be movable without throwing, which is checked when it is compiled; what a coroutine gives to
// the one that awaits it in place need not be.
#ifndef SERVICES_ASYNC_OUTCOME_H_
#define SERVICES_ASYNC_OUTCOME_H_

#include <exception>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/cancel_reason.h"
#include "services/async/check.h"

namespace fermata {

namespace detail {
template <class T>
struct Fold {
  using type = T;
};
template <class T>
struct Fold<absl::StatusOr<T>> {
  using type = T;
};
template <>
struct Fold<absl::Status> {
  using type = void;
};

inline const absl::Status& status_of(const absl::Status& status) noexcept { return status; }
template <class T>
const absl::Status& status_of(const absl::StatusOr<T>& result) noexcept {
  return result.status();
}

const absl::Status& cancelled_status(CancelReason reason);  // made once: copies are cheap
absl::Status exception_status(const std::exception_ptr& exception);
}  // namespace detail

// T without its Status or StatusOr: what a body is for when it succeeds.
template <class T>
using Folded = typename detail::Fold<T>::type;

template <class T>
class [[nodiscard]] Outcome {
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "a result that is kept goes from place to place where nothing may throw: make its "
                "move constructor noexcept, or return a pointer");

 public:
  static Outcome cancelled(CancelReason reason) {
    return Outcome(detail::cancelled_status(reason), reason);
  }
  static Outcome error(absl::Status status) {
    FERMATA_CHECK(!status.ok(), "an error outcome needs an error");
    return Outcome(std::move(status), CancelReason::kNone);
  }
  Outcome(T value) : result_(std::move(value)) {}  // NOLINT: a value is an outcome

  bool ok() const noexcept { return result_.ok(); }
  bool cancelled() const noexcept { return reason_ != CancelReason::kNone; }
  CancelReason reason() const noexcept { return reason_; }
  // Ok, the error, or kCancelled / kDeadlineExceeded with the reason in words.
  const absl::Status& status() const& noexcept { return result_.status(); }

  const T& value() const& {
    check();
    return *result_;
  }
  T& value() & {
    check();
    return *result_;
  }
  T&& value() && {
    check();
    return *std::move(result_);
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  absl::StatusOr<T> to_status_or() && { return std::move(result_); }

 private:
  Outcome(absl::Status status, CancelReason reason) : result_(std::move(status)), reason_(reason) {}
  void check() const { FERMATA_CHECK(ok(), "value() of an outcome that has none; ask ok() first"); }

  absl::StatusOr<T> result_;
  CancelReason reason_ = CancelReason::kNone;
};

template <>
class [[nodiscard]] Outcome<void> {
 public:
  Outcome() = default;
  static Outcome cancelled(CancelReason reason) {
    return Outcome(detail::cancelled_status(reason), reason);
  }
  static Outcome error(absl::Status status) {
    FERMATA_CHECK(!status.ok(), "an error outcome needs an error");
    return Outcome(std::move(status), CancelReason::kNone);
  }

  bool ok() const noexcept { return status_.ok(); }
  bool cancelled() const noexcept { return reason_ != CancelReason::kNone; }
  CancelReason reason() const noexcept { return reason_; }
  const absl::Status& status() const& noexcept { return status_; }
  void value() const { FERMATA_CHECK(ok(), "value() of an outcome that has none; ask ok() first"); }

 private:
  Outcome(absl::Status status, CancelReason reason) : status_(std::move(status)), reason_(reason) {}

  absl::Status status_;
  CancelReason reason_ = CancelReason::kNone;
};

namespace detail {

// StatusOr<T>, or Status when there is no T.
template <class T>
using OrStatus = std::conditional_t<std::is_void_v<T>, absl::Status,
                                    absl::StatusOr<std::conditional_t<std::is_void_v<T>, int, T>>>;

// An outcome for those to whom cancelled is an error like others.
template <class T>
OrStatus<T> to_result(Outcome<T> outcome) {
  if constexpr (std::is_void_v<T>) {
    return outcome.status();
  } else {
    return std::move(outcome).to_status_or();
  }
}

// What a finished coroutine left in its promise.
template <class P>
auto outcome_of(P& promise) {
  using R = decltype(promise.take());
  using O = Outcome<Folded<R>>;
  if (const std::exception_ptr exception = promise.exception()) {
    return O::error(exception_status(exception));
  }
  if constexpr (std::is_void_v<R>) {
    return O();
  } else if constexpr (std::is_same_v<R, Folded<R>>) {
    return O(promise.take());
  } else {
    if (!status_of(promise.value()).ok()) return O::error(status_of(promise.value()));
    if constexpr (std::is_void_v<Folded<R>>) {
      return O();
    } else {
      return O(*promise.take());
    }
  }
}

}  // namespace detail
}  // namespace fermata

#endif  // SERVICES_ASYNC_OUTCOME_H_

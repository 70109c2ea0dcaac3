// How the rows of this room are written: the body of a group, run on many simulated loops.
//
//   TEST(AsyncioTasks, Name_of_the_original) {
//     in_group([](TaskGroup& group) -> Co<absl::Status> { ... });
//   }
#ifndef TESTS_CONFORMANCE_IN_GROUP_H_
#define TESTS_CONFORMANCE_IN_GROUP_H_

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {

template <class F>
Co<absl::Status> grouped() {
  co_return co_await with_group(F());
}

// F is a lambda without captures. The group must end without error on every seed.
template <class F>
void in_group(F) {
  on_every_seed(&grouped<F>);
}

// Time passes only when nothing can run: whatever was under way has got as far as it can.
inline Sleep settle() noexcept { return sleep(absl::Nanoseconds(1)); }

inline Co<void> sleep_an_hour() { co_await sleep(absl::Hours(1)); }

inline Co<int> value_after(absl::Duration delay, int value) {
  co_await sleep(delay);
  co_return value;
}

inline Co<absl::StatusOr<int>> number_after(absl::Duration delay, int value) {
  co_await sleep(delay);
  co_return value;
}

inline Co<absl::Status> fail_after(absl::Duration delay, absl::StatusCode code) {
  co_await sleep(delay);
  co_return absl::Status(code, "as asked");
}

inline Co<absl::StatusOr<int>> no_number_after(absl::Duration delay, absl::StatusCode code) {
  co_await sleep(delay);
  co_return absl::Status(code, "as asked");
}

// Clean-up that takes time, whatever cancels it: the shape of `try: ... finally: await ...`.
inline Co<void> lingers(absl::Duration clean_up, int* cleaned_up) {
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(sleep_an_hour());
  co_await shield(sleep(clean_up));
  ++*cleaned_up;
}

// The same, and the clean-up ends with an error.
inline Co<absl::Status> lingers_and_fails(absl::Duration clean_up, absl::StatusCode code) {
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(sleep_an_hour());
  co_await shield(sleep(clean_up));
  co_return absl::Status(code, "clean-up failed");
}

}  // namespace fermata

#endif  // TESTS_CONFORMANCE_IN_GROUP_H_

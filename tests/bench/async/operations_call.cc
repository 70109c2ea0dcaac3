// Calling coroutines: values, errors, depth.
#include "absl/status/statusor.h"
#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

[[gnu::noinline]] Co<long> ready(long value) { co_return value; }

Co<absl::Status> coro_ready(long times) {
  for (long i = 0; i < times; ++i) {
    long value = co_await ready(i);
    keep(value);
  }
  co_return absl::OkStatus();
}

[[gnu::noinline]] Co<absl::StatusOr<long>> checked(long value) { co_return value; }

Co<absl::Status> try_ready(long times) {
  for (long i = 0; i < times; ++i) {
    long value = co_await Try(checked(i));
    keep(value);
  }
  co_return absl::OkStatus();
}

[[gnu::noinline]] Co<long> nested(int levels) {
  if (levels == 1) co_return 1;
  long below = co_await nested(levels - 1);
  co_return below + 1;
}

Co<absl::Status> nested_calls(long times, int levels) {
  for (long i = 0; i < times; ++i) {
    long value = co_await nested(levels);
    keep(value);
  }
  co_return absl::OkStatus();
}
Co<absl::Status> nested_calls_3(long times) { return nested_calls(times, 3); }
Co<absl::Status> nested_calls_10(long times) { return nested_calls(times, 10); }

[[gnu::noinline]] Co<long> after_yield(long value) {
  co_await yield_now();
  co_return value;
}

Co<absl::Status> coro_after_yield(long times) {
  for (long i = 0; i < times; ++i) {
    long value = co_await after_yield(i);
    keep(value);
  }
  co_return absl::OkStatus();
}

[[gnu::noinline]] Co<absl::StatusOr<long>> failing(int levels) {
  if (levels == 1) co_return absl::UnavailableError("");
  long below = co_await Try(failing(levels - 1));
  co_return below + 1;
}

Co<absl::Status> error_through_5(long times) {
  for (long i = 0; i < times; ++i) {
    absl::StatusOr<long> value = co_await failing(5);
    keep(value);
  }
  co_return absl::OkStatus();
}

}  // namespace

Operations call_operations() {
  return {
      {"coro_ready", &coro_ready},              // Seastar
      {"try_ready", &try_ready},                //
      {"NestedCalls3", &nested_calls_3},        // folly
      {"NestedCalls10", &nested_calls_10},      // folly
      {"coro_after_yield", &coro_after_yield},  // Seastar
      {"error_through_5", &error_through_5},    //
  };
}

}  // namespace fermata::bench

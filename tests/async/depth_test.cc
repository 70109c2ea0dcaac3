// Chains of a million calls: nothing of the core goes down them by recursion.
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

constexpr int kLevels = 1'000'000;
constexpr int kFewerLevels = 100'000;  // still far more than a stack holds in any build

Co<int> deep(int levels, bool waits) {
  const Counted counted;
  if (levels == 0) {
    if (waits) co_await sleep(absl::Hours(1));
    co_return 0;
  }
  int below = co_await deep(levels - 1, waits);
  co_return below + 1;
}

TEST(Depth, AMillionCallsReturn) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       int levels = co_await deep(kLevels, false);
                       EXPECT_EQ(levels, kLevels);
                       int waited = co_await deep(kLevels, true);
                       EXPECT_EQ(waited, kLevels);
                       co_return absl::OkStatus();
                     }),
            absl::OkStatus());
}

TEST(Depth, AMillionCallsAreCancelled) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       absl::StatusOr<int> cut =
                           co_await timeout(absl::Seconds(1), deep(kLevels, true));
                       EXPECT_EQ(cut.status().code(), absl::StatusCode::kDeadlineExceeded);
                       EXPECT_EQ(Counted::live, 0);
                       co_return absl::OkStatus();
                     }),
            absl::OkStatus());
}

Co<absl::StatusOr<int>> deep_try(int levels, absl::Duration delay, absl::StatusCode code) {
  const Counted counted;
  if (levels == 0) {
    co_await sleep(delay);
    if (code != absl::StatusCode::kOk) co_return absl::Status(code, "as asked");
    co_return 0;
  }
  int below = co_await Try(deep_try(levels - 1, delay, code));
  co_return below + 1;
}

Co<absl::Status> spawn_deep_try(TaskGroup& group) {
  Task<int> task =
      group.spawn(&deep_try, kFewerLevels, absl::Seconds(1), absl::StatusCode::kUnavailable);
  co_await task;
  co_return absl::OkStatus();
}

// At the top of the chain: an awaiting frame, a Try, a branch, a task.
TEST(Depth, AnErrorEndsAMillionCalls) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       absl::StatusOr<int> awaited = co_await deep_try(kLevels, absl::Seconds(1),
                                                                       absl::StatusCode::kNotFound);
                       EXPECT_EQ(awaited.status().code(), absl::StatusCode::kNotFound);
                       EXPECT_EQ(Counted::live, 0);
                       absl::StatusOr<int> timed = co_await timeout(
                           absl::Seconds(2),
                           deep_try(kFewerLevels, absl::Seconds(1), absl::StatusCode::kAborted));
                       EXPECT_EQ(timed.status().code(), absl::StatusCode::kAborted);
                       EXPECT_EQ(Counted::live, 0);
                       absl::Status grouped = co_await with_group(&spawn_deep_try);
                       EXPECT_EQ(grouped.code(), absl::StatusCode::kUnavailable);
                       EXPECT_EQ(Counted::live, 0);
                       int fine = co_await Try(
                           deep_try(kFewerLevels, absl::Seconds(1), absl::StatusCode::kOk));
                       EXPECT_EQ(fine, kFewerLevels);
                       co_return absl::OkStatus();
                     }),
            absl::OkStatus());
}

TEST(Depth, AMillionCallsWithTryAreCancelled) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       absl::StatusOr<int> cut = co_await timeout(
                           absl::Seconds(1),
                           deep_try(kLevels, absl::Hours(1), absl::StatusCode::kOk));
                       EXPECT_EQ(cut.status().code(), absl::StatusCode::kDeadlineExceeded);
                       EXPECT_EQ(Counted::live, 0);
                       co_return absl::OkStatus();
                     }),
            absl::OkStatus());
}

// ---- the order, which is that of plain destruction

Co<void> innermost(std::string* log) {
  const Leaves here(*log, "innermost");
  co_await sleep(absl::Hours(1));
}

Generator<int> numbers(std::string* log) {
  const Leaves here(*log, "generator");
  co_yield 1;
  co_await innermost(log);
}

Co<absl::StatusOr<int>> consumer(std::string* log, Counted parameter) {
  const Leaves first(*log, "first");
  Generator<int> all = numbers(log);
  const Leaves last(*log, "last");
  std::optional<int> one = co_await all.next();
  std::optional<int> none = co_await all.next();
  co_return one.value_or(0) + none.value_or(0);
}

Co<absl::StatusOr<int>> tries(std::string* log) {
  const Leaves here(*log, "tries");
  int n = co_await Try(consumer(log, Counted()));
  co_return n;
}

Co<absl::StatusOr<int>> calls(std::string* log) {
  const Leaves here(*log, "calls");
  absl::StatusOr<int> n = co_await tries(log);
  co_return n;
}

TEST(Depth, FramesOfEveryKindAreDestroyedInnermostFirst) {
  std::string log;
  std::string* to = &log;
  EXPECT_EQ(run_once(
                0,
                [](std::string*& log) -> Co<absl::Status> {
                  absl::StatusOr<int> cut = co_await timeout(absl::Seconds(1), calls(log));
                  EXPECT_EQ(cut.status().code(), absl::StatusCode::kDeadlineExceeded);
                  co_return absl::OkStatus();
                },
                to),
            absl::OkStatus());
  EXPECT_EQ(log, "innermost generator last first tries calls ");
}

// Where a frame keeps who owns it must not depend on what it returns.
struct alignas(16) Wide {
  long values[2] = {};
};

Co<void> returns_nothing() {
  const Counted counted;
  co_await sleep(absl::Hours(1));
}
Co<char> returns_a_byte() {
  const Counted counted;
  co_await returns_nothing();
  co_return 'a';
}
Co<Wide> returns_a_wide_value() {
  const Counted counted;
  char byte = co_await returns_a_byte();
  Wide wide;
  wide.values[0] = byte;
  co_return wide;
}
Co<std::string> returns_text() {
  const Counted counted;
  Wide wide = co_await returns_a_wide_value();
  co_return std::string(1, static_cast<char>(wide.values[0]));
}

TEST(Depth, FramesOfEveryResultAreDestroyedOnce) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       absl::StatusOr<std::string> cut =
                           co_await timeout(absl::Seconds(1), returns_text());
                       EXPECT_EQ(cut.status().code(), absl::StatusCode::kDeadlineExceeded);
                       EXPECT_EQ(Counted::live, 0);
                       co_return absl::OkStatus();
                     }),
            absl::OkStatus());
}

Co<absl::StatusOr<int>> fails(std::string* log) {
  const Leaves here(*log, "fails");
  co_await sleep(absl::Seconds(1));
  co_return absl::NotFoundError("as asked");
}

Co<absl::StatusOr<int>> passes_on(std::string* log) {
  const Leaves here(*log, "passes_on");
  int n = co_await Try(fails(log));
  co_return n;
}

Co<absl::StatusOr<int>> passes_on_too(std::string* log) {
  const Leaves here(*log, "passes_on_too");
  int n = co_await Try(passes_on(log));
  co_return n;
}

TEST(Depth, FramesThatTryEndedAreDestroyedInnermostFirst) {
  std::string log;
  std::string* to = &log;
  EXPECT_EQ(run_once(
                0,
                [](std::string*& log) -> Co<absl::Status> {
                  absl::StatusOr<int> none = co_await passes_on_too(log);
                  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
                  EXPECT_EQ(*log, "fails passes_on passes_on_too ");
                  co_return absl::OkStatus();
                },
                to),
            absl::OkStatus());
}

}  // namespace
}  // namespace fermata

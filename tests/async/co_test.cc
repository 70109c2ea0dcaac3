#include "services/async/co.h"

#include <memory>
#include <stdexcept>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<int> length(const std::string& text) { co_return static_cast<int>(text.size()); }

Co<std::unique_ptr<int>> boxed(int value) { co_return std::make_unique<int>(value); }

TEST(Co, ReferenceParametersLiveAsLongAsTheAwait) {
  on_every_seed([]() -> Co<absl::Status> {
    int n = co_await length(std::string("a temporary too long for the small string buffer"));
    EXPECT_EQ(n, 48);
    co_return absl::OkStatus();
  });
}

TEST(Co, CarriesValuesThatCannotBeCopied) {
  on_every_seed([]() -> Co<absl::Status> {
    std::unique_ptr<int> box = co_await boxed(7);
    EXPECT_EQ(*box, 7);
    co_return absl::OkStatus();
  });
}

Co<void> note(std::string& log) {
  log += "ran ";
  co_return;
}

TEST(Co, DoesNothingUntilItIsAwaited) {
  std::string log;
  on_every_seed(
      [](std::string& log) -> Co<absl::Status> {
        log.clear();
        {
          Co<void> unused = note(log);
        }
        EXPECT_EQ(log, "");
        co_await note(log);
        EXPECT_EQ(log, "ran ");
        co_return absl::OkStatus();
      },
      log);
}

Co<int> failing() {
  Counted counted;
  co_await yield_now();
  throw std::runtime_error("boom");
  co_return 0;
}

TEST(Co, CarriesAnExceptionToItsAwaiter) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string caught;
    try {
      int never = co_await failing();
      caught = std::to_string(never);
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "boom");
    co_return absl::OkStatus();
  });
}

TEST(Co, AnExceptionStopsAtTheEdgeOfTheTask) {
  const absl::Status status = run_once(0, []() -> Co<absl::Status> {
    int never = co_await failing();
    co_return never == 0 ? absl::OkStatus() : absl::UnknownError("?");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(status.message().find("boom"), std::string::npos) << status;
}

Co<long> one(long i) { co_return i; }

Co<long> depth(long levels) {
  long below = 0;
  if (levels > 0) below = co_await depth(levels - 1);
  co_return below + 1;
}

TEST(Co, AMillionSynchronousAwaitsKeepTheStackFlat) {
  const absl::Status status = run_once(0, []() -> Co<absl::Status> {
    long sum = 0;
    for (long i = 0; i < 1'000'000; ++i) {
      long value = co_await one(1);
      sum += value;
    }
    EXPECT_EQ(sum, 1'000'000);
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

TEST(Co, CallsNestTenThousandDeep) {
  const absl::Status status = run_once(0, []() -> Co<absl::Status> {
    long levels = co_await depth(10'000);
    EXPECT_EQ(levels, 10'001);
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

// ---- Try

Co<absl::StatusOr<int>> positive(int x, std::string& log) {
  Leaves leaf(log, "leaf");
  co_await yield_now();
  if (x < 0) co_return absl::InvalidArgumentError("negative");
  co_return x;
}

Co<absl::StatusOr<int>> twice(int x, std::string& log) {
  Leaves middle(log, "middle");
  int y = co_await Try(positive(x, log));
  Leaves never(log, "after");
  co_return 2 * y;
}

Co<absl::Status> checked(int x, std::string& log) {
  Leaves top(log, "top");
  int y = co_await Try(twice(x, log));
  log += std::to_string(y) + " ";
  co_return absl::OkStatus();
}

TEST(Try, GivesTheValue) {
  std::string log;
  on_every_seed(
      [](std::string& log) -> Co<absl::Status> {
        log.clear();
        absl::Status status = co_await checked(5, log);
        EXPECT_EQ(status, absl::OkStatus());
        EXPECT_EQ(log, "leaf after middle 10 top ");
        co_return absl::OkStatus();
      },
      log);
}

TEST(Try, EndsTheCoroutineWithTheErrorAndCleansUpInOrder) {
  std::string log;
  on_every_seed(
      [](std::string& log) -> Co<absl::Status> {
        log.clear();
        absl::Status status = co_await checked(-5, log);
        EXPECT_EQ(status, absl::InvalidArgumentError("negative"));
        EXPECT_EQ(log, "leaf middle top ");
        co_return absl::OkStatus();
      },
      log);
}

Co<absl::Status> deep_error(int levels) {
  if (levels == 0) co_return absl::NotFoundError("at the bottom");
  co_await Try(deep_error(levels - 1));
  co_return absl::OkStatus();
}

TEST(Try, AnErrorClimbsTenThousandLevelsOnAFlatStack) {
  const absl::Status status = run_once(0, []() -> Co<absl::Status> {
    absl::Status error = co_await deep_error(10'000);
    EXPECT_EQ(error, absl::NotFoundError("at the bottom"));
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

TEST(Try, AcceptsALeafOperation) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(1);
    queue.shutdown();
    CancelScope scope;
    Outcome<void> outcome = co_await scope.run(with_group(
        [](TaskGroup&, Queue<int>& queue) -> Co<absl::Status> {
          co_await Try(queue.put(1));
          co_return absl::InternalError("not reached");
        },
        queue));
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kFailedPrecondition);
    co_return absl::OkStatus();
  });
}

Co<absl::Status> throwing() {
  co_await yield_now();
  throw std::runtime_error("thrown");
}

TEST(Try, PassesAnExceptionOn) {
  const absl::Status status = run_once(3, []() -> Co<absl::Status> {
    co_await Try(throwing());
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace fermata

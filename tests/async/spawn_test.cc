// TaskGroup::spawn and Task.
#include <functional>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<absl::Status> wait_then(absl::Duration delay, absl::Status status, int* ended) {
  Counted counted;
  co_await sleep(delay);
  ++*ended;
  co_return status;
}

Co<int> length(const std::string& text) {
  co_await sleep(absl::Seconds(1));
  co_return static_cast<int>(text.size());
}

Co<void> increment(int& n) {
  ++n;
  co_return;
}

class Counter {
 public:
  Co<absl::Status> add(int n) {
    co_await sleep(absl::Seconds(1));
    total_ += n;
    co_return absl::OkStatus();
  }
  int total() const { return total_; }

 private:
  int total_ = 0;
};

TEST(Spawn, StoresArgumentsAsTheParametersTheyAreFor) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      Task<int> from_literal = group.spawn(length, "a literal that becomes a stored std::string");
      int n = 0;
      Task<void> by_ref = group.spawn(increment, std::ref(n));
      Counter counter;
      Task<void> member = group.spawn(&Counter::add, &counter, 4);
      Outcome<int> size = co_await from_literal;
      EXPECT_EQ(size.value(), 43);
      co_await by_ref;
      EXPECT_EQ(n, 1);
      co_await member;
      EXPECT_EQ(counter.total(), 4);
      co_return absl::OkStatus();
    });
  });
}

TEST(Spawn, NamesAreKeptAndDefaultToTheFunction) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      std::string name = "connection 7";
      Task<int> named = group.spawn_named(name, length, "x");
      name = "overwritten";
      Task<int> plain = group.spawn(length, "x");
      EXPECT_EQ(named.name(), "connection 7");
      EXPECT_EQ(plain.name(), "length");
      EXPECT_LT(named.id(), plain.id());
      co_return absl::OkStatus();
    });
  });
}

TEST(Spawn, DroppingTheHandleDoesNotCancel) {
  on_every_seed([]() -> Co<absl::Status> {
    int ended = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& ended) -> Co<absl::Status> {
          (void)group.spawn(wait_then, absl::Seconds(1), absl::OkStatus(), &ended);
          co_return absl::OkStatus();
        },
        ended);
    EXPECT_EQ(ended, 1);
    co_return status;
  });
}

TEST(Spawn, AnyNumberOfCoroutinesMayJoin) {
  on_every_seed([]() -> Co<absl::Status> {
    int seen = 0;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, int& seen) -> Co<absl::Status> {
          Task<int> task = group.spawn(length, "four");
          for (int i = 0; i < 10; ++i) {
            group.spawn(
                [](Task<int> task, int* seen) -> Co<void> {
                  const Outcome<int>& outcome = co_await task;
                  *seen += outcome.value();
                },
                task, &seen);
          }
          co_return absl::OkStatus();
        },
        seen);
    EXPECT_EQ(seen, 40);
    co_return status;
  });
}

TEST(Spawn, AnOutcomeThatCannotBeCopiedIsMovedOutOfTheHandle) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      Outcome<std::unique_ptr<int>> box = co_await group.spawn(
          []() -> Co<std::unique_ptr<int>> { co_return std::make_unique<int>(5); });
      EXPECT_EQ(**box, 5);
      co_return absl::OkStatus();
    });
  });
}

TEST(Spawn, TenThousandTasksEndWithTheirGroup) {
  EXPECT_EQ(run_once(1,
                     []() -> Co<absl::Status> {
                       int ended = 0;
                       absl::Status status = co_await with_group(
                           [](TaskGroup& group, int& ended) -> Co<absl::Status> {
                             for (int i = 0; i < 10'000; ++i) {
                               group.spawn(wait_then, absl::Milliseconds(i % 100), absl::OkStatus(),
                                           &ended);
                             }
                             co_return absl::OkStatus();
                           },
                           ended);
                       EXPECT_EQ(ended, 10'000);
                       co_return status;
                     }),
            absl::OkStatus());
}

}  // namespace
}  // namespace fermata

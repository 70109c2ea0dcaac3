// Descriptors that close: who waits hears of it, the peer sees the end, and nothing of them is left
// for the next one with their number.
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/descriptor.h"
#include "tests/async/descriptor_ends.h"
#include "tests/async/loops.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

using DescriptorsThatClose = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(DescriptorsThatClose);

Co<absl::Status> close_while_waiting() {
  Ends ends;
  co_return co_await with_group(
      [](TaskGroup& group, Ends& ends) -> Co<absl::Status> {
        absl::Status seen = absl::OkStatus();
        Task<void> waits =
            group.spawn([](Descriptor& end,
                           absl::Status* seen) -> Co<void> { *seen = co_await end.readable(); },
                        std::ref(ends.a), &seen);
        for (int i = 0; i < 5; ++i) co_await yield_now();
        EXPECT_FALSE(waits.done());
        ends.a.close();
        co_await waits;
        EXPECT_EQ(seen.code(), absl::StatusCode::kInvalidArgument) << seen;
        co_return absl::OkStatus();
      },
      ends);
}

TEST_P(DescriptorsThatClose, WhileWaitedForWakeTheWaiterWithAnError) {
  EXPECT_EQ(make()->run(close_while_waiting), absl::OkStatus());
}

TEST(DescriptorThatCloses, WhileWaitedForWakesTheWaiterUnderEverySeed) {
  on_every_seed(close_while_waiting);
}

// The number comes again: neither the waits nor the end of the one before are the new one's.
TEST_P(DescriptorsThatClose, LeaveNothingToTheNextWithTheirNumber) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    int number = -1;
    for (int i = 0; i < 20; ++i) {
      Ends ends;
      if (number < 0) number = ends.a.fd();
      EXPECT_EQ(ends.a.fd(), number);
      co_await acquaint(ends.a);
      EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
      if (i % 2 == 0) co_await let_the_loop_look();
      ends.b.close();
      if (i % 3 == 0) co_await let_the_loop_look();
    }
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST_P(DescriptorsThatClose, OutsideOfRunAreNotTakenForTheNextWithTheirNumber) {
  const std::unique_ptr<KernelLoop> loop = make();
  int number = -1;
  for (int i = 0; i < 3; ++i) {
    Ends ends;
    if (number < 0) number = ends.a.fd();
    ASSERT_EQ(ends.a.fd(), number);
    EXPECT_EQ(loop->run(
                  [](Ends& ends) -> Co<absl::Status> {
                    co_await acquaint(ends.a);
                    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
                    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
                    EXPECT_TRUE(woke);
                    co_return absl::OkStatus();
                  },
                  ends),
              absl::OkStatus());
  }
}

TEST_P(DescriptorsThatClose, AreClosedThen) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    co_await acquaint(ends.a);
    ends.a.close();
    EXPECT_EQ(read_all(ends.b), 0) << "the other side does not see the end";
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

// The loop has not asked for the news yet, and io_uring is in the middle of telling it.
TEST_P(DescriptorsThatClose, AreClosedThenThoughNewsOfThemIsOnItsWay) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    co_await acquaint(ends.a);
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    EXPECT_EQ(read_all(ends.a), 1);
    ends.a.close();
    EXPECT_EQ(read_all(ends.b), 0) << "the other side does not see the end";
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

}  // namespace
}  // namespace fermata

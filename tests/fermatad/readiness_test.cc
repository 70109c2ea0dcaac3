// When health checks are told to send clients elsewhere.
#include "services/fermatad/readiness.h"

#include <latch>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {
namespace {

using Reason = Readiness::Reason;

TEST(Readiness, IsSaidWhenTheLastReasonGoesAndOnChangesOnly) {
  std::vector<bool> told;
  Readiness readiness(absl::Hours(1), [&](bool ready) { told.push_back(ready); });
  readiness.set(Reason::kStoreStopped, true);
  readiness.set(Reason::kDraining, true);
  readiness.set(Reason::kStoreStopped, false);
  EXPECT_EQ(told, std::vector<bool>{false});
  readiness.set(Reason::kDraining, false);
  readiness.set(Reason::kDraining, false);
  EXPECT_EQ(told, (std::vector<bool>{false, true}));
}

// What the test's loop and the thread that looks at it share.
struct Stall {
  std::latch told_not_ready{1};
  std::atomic<bool> ready{true};
  void tell(bool now) {
    if (!now) told_not_ready.count_down();
    ready = now;
  }
};

Co<absl::Status> stall_and_recover(TaskGroup& group, Readiness& readiness, Stall& stall) {
  group.spawn_named("beat", &Readiness::beat, &readiness);
  co_await sleep(absl::Milliseconds(1));
  stall.told_not_ready.wait();  // on the loop: nothing on it moves until the thread has noticed
  EXPECT_FALSE(stall.ready);
  while (!stall.ready) co_await sleep(absl::Milliseconds(1));
  group.cancel();
  co_return absl::OkStatus();
}

Co<absl::Status> in_group(Readiness& readiness, Stall& stall) {
  co_return co_await with_group(&stall_and_recover, std::ref(readiness), std::ref(stall));
}

TEST(Readiness, ALoopThatIsStuckIsNotReadyAndOneThatMovesAgainIs) {
  Stall stall;
  Readiness readiness(absl::Milliseconds(40), [&](bool ready) { stall.tell(ready); });
  EpollLoop loop(1);
  const absl::Status status = loop.run(&in_group, std::ref(readiness), std::ref(stall));
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace fermata

// for_each and quorum.
#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<absl::Status> work_on(int item, std::vector<int>& running_max) {
  ++running_max[0];
  running_max[1] = std::max(running_max[0], running_max[1]);
  co_await sleep(absl::Seconds(1));
  --running_max[0];
  if (item == 13) co_return absl::NotFoundError("13");
  co_return absl::OkStatus();
}

TEST(ForEach, CallsForEveryItemAtMostLimitAtATime) {
  on_every_seed([]() -> Co<absl::Status> {
    std::vector<int> items(10, 1);
    std::vector<int> running_max(2, 0);
    absl::Time start = now();
    absl::Status status = co_await for_each(items, 3, work_on, running_max);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(running_max[1], 3);
    EXPECT_EQ(now() - start, absl::Seconds(4));
    items.clear();
    co_return co_await for_each(items, 3, work_on, running_max);
  });
}

TEST(ForEach, TheFirstFailureEndsIt) {
  on_every_seed([]() -> Co<absl::Status> {
    std::vector<int> items{1, 2, 13, 4, 5, 6, 7, 8};
    std::vector<int> running_max(2, 0);
    absl::Time start = now();
    absl::Status status = co_await for_each(items, 1, work_on, running_max);
    EXPECT_EQ(status, absl::NotFoundError("13"));
    EXPECT_EQ(now() - start, absl::Seconds(3));
    co_return absl::OkStatus();
  });
}

Co<absl::StatusOr<int>> vote(int seconds, bool yes) {
  co_await sleep(absl::Seconds(seconds));
  if (!yes) co_return absl::UnavailableError("no vote");
  co_return seconds;
}

TEST(Quorum, GivesTheFirstSuccesses) {
  on_every_seed([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      // Cancelled votes have not failed; those that fail would fail the group, so a settled
      // wrapper.
      std::vector<Task<int>> votes;
      for (int i = 5; i > 0; --i) votes.push_back(group.spawn(vote, i, true));
      absl::StatusOr<std::vector<int>> first = co_await quorum(2, votes);
      EXPECT_TRUE(first.ok());
      EXPECT_EQ(*first, (std::vector<int>{1, 2}));
      votes[0].cancel();
      votes[1].cancel();
      absl::StatusOr<std::vector<int>> all = co_await quorum(4, votes);
      EXPECT_EQ(all.status().code(), absl::StatusCode::kCancelled) << all.status();
      co_return absl::OkStatus();
    });
  });
}

}  // namespace
}  // namespace fermata

// What a race may not lose: whatever the order of the loop, each item is with the winner, in
// late(), or still in its queue.
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

using Item = std::optional<int>;

// How many turns each side lets pass before it acts; every combination is one interleaving, on
// every seed.
struct Delays {
  int left;
  int right;
  int racer;
};

Co<void> yields(int times) {
  for (int i = 0; i < times; ++i) co_await yield_now();
}

Co<void> put_after(int delay, Queue<int>* queue, int item) {
  co_await yields(delay);
  EXPECT_TRUE(queue->put_nowait(std::move(item)).ok());
}

struct Pair {
  Queue<int> left{2};
  Queue<int> right{2};
};

template <class F>
void in_every_order(F scenario) {
  constexpr int kDelays = 4;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    for (int order = 0; order < kDelays * kDelays * kDelays; ++order) {
      Delays delays{order % kDelays, order / kDelays % kDelays, order / kDelays / kDelays};
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", delays " << delays.left << " "
                                        << delays.right << " " << delays.racer);
      EXPECT_EQ(run_once(seed, scenario, delays), absl::OkStatus());
      if (::testing::Test::HasFailure()) return;
    }
  }
}

template <class F>
Co<absl::Status> grouped(F body, Pair* pair, Delays* delays) {
  co_return co_await with_group(body, pair, delays);
}

Co<absl::Status> race_two_queues(TaskGroup& group, Pair* pair, Delays* delays) {
  group.spawn(&put_after, delays->left, &pair->left, 1);
  group.spawn(&put_after, delays->right, &pair->right, 2);
  co_await yields(delays->racer);
  RaceResult<Item, Item> first = co_await race(pair->left.get(), pair->right.get());
  co_await sleep(absl::Milliseconds(1));  // both have been put
  EXPECT_FALSE(first.late<0>().has_value() || first.late<1>().has_value())
      << "of two gets exactly one takes";
  if (first.index() == 0) {
    EXPECT_EQ(std::get<0>(first), Item(1));
    EXPECT_EQ(pair->right.get_nowait(), Item(2));
  } else {
    EXPECT_EQ(std::get<1>(first), Item(2));
    EXPECT_EQ(pair->left.get_nowait(), Item(1));
  }
  EXPECT_TRUE(pair->left.empty() && pair->right.empty());
  co_return absl::OkStatus();
}

TEST(Race, OfTwoGetsExactlyOneTakes) {
  in_every_order([](Delays& delays) -> Co<absl::Status> {
    Pair pair;
    co_return co_await grouped(&race_two_queues, &pair, &delays);
  });
}

Co<absl::Status> race_one_queue(TaskGroup& group, Pair* pair, Delays* delays) {
  group.spawn(&put_after, delays->left, &pair->left, 1);
  group.spawn(&put_after, delays->right, &pair->left, 2);
  co_await yields(delays->racer);
  RaceResult<Item, Item> first = co_await race(pair->left.get(), pair->left.get());
  const Item got = first.index() == 0 ? std::get<0>(first) : std::get<1>(first);
  co_await sleep(absl::Milliseconds(1));
  EXPECT_TRUE(got.has_value());
  EXPECT_EQ(pair->left.get_nowait(), Item(3 - got.value_or(0)));
  EXPECT_TRUE(pair->left.empty());
  co_return absl::OkStatus();
}

TEST(Race, OfTwoGetsFromOneQueueExactlyOneTakes) {
  in_every_order([](Delays& delays) -> Co<absl::Status> {
    Pair pair;
    co_return co_await grouped(&race_one_queue, &pair, &delays);
  });
}

Co<void> set_after(int delay, Event* event) {
  co_await yields(delay);
  event->set();
}

// A put that waits for room, against an event.
Co<absl::Status> race_put(TaskGroup& group, Pair* pair, Delays* delays) {
  Event stop;
  EXPECT_TRUE(pair->left.put_nowait(1).ok());
  EXPECT_TRUE(pair->left.put_nowait(2).ok());
  group.spawn(&set_after, delays->left, &stop);
  group.spawn(
      [](int delay, Queue<int>* queue) -> Co<void> {
        co_await yields(delay);
        EXPECT_EQ(queue->get_nowait(), Item(1));
      },
      delays->right, &pair->left);
  co_await yields(delays->racer);
  RaceResult<absl::Status, std::monostate> first = co_await race(pair->left.put(3), stop.wait());
  co_await sleep(absl::Milliseconds(1));
  const bool said_to_be_put = first.index() == 0 || first.late<0>().has_value();
  EXPECT_EQ(pair->left.size(), said_to_be_put ? 2u : 1u);
  co_return absl::OkStatus();
}

TEST(Race, APutIsDoneExactlyWhenTheRaceSaysSo) {
  in_every_order([](Delays& delays) -> Co<absl::Status> {
    Pair pair;
    co_return co_await grouped(&race_put, &pair, &delays);
  });
}

Co<Item> get_in_a_body(Queue<int>* queue) { co_return co_await queue->get(); }

// Bodies cannot be told from others before they end: what the loser took is in late().
Co<absl::Status> race_bodies(TaskGroup& group, Pair* pair, Delays* delays) {
  group.spawn(&put_after, delays->left, &pair->left, 1);
  group.spawn(&put_after, delays->right, &pair->right, 2);
  co_await yields(delays->racer);
  RaceResult<Item, absl::StatusOr<Item>> first = co_await race(
      get_in_a_body(&pair->left), timeout(absl::Hours(1), get_in_a_body(&pair->right)));
  co_await sleep(absl::Milliseconds(1));
  int items = 0;
  if (first.index() == 0) items += std::get<0>(first).value_or(0);
  if (first.index() == 1) items += std::get<1>(first).value_or(Item()).value_or(0);
  if (first.late<0>().has_value()) items += first.late<0>()->value_or(0);
  if (first.late<1>().has_value()) items += first.late<1>()->value_or(Item()).value_or(0);
  items += pair->left.get_nowait().value_or(0) + pair->right.get_nowait().value_or(0);
  EXPECT_EQ(items, 3);
  EXPECT_EQ(first.late<0>().has_value() + first.late<1>().has_value() + 1,
            2 - static_cast<int>(!first.late<0>().has_value() && !first.late<1>().has_value()));
  co_return absl::OkStatus();
}

TEST(Race, WhatABodyTookBeforeItLostIsInLate) {
  in_every_order([](Delays& delays) -> Co<absl::Status> {
    Pair pair;
    co_return co_await grouped(&race_bodies, &pair, &delays);
  });
}

// The race is decided by what its operation was given, also when the race itself is cancelled then.
Co<absl::Status> cancelled_race(TaskGroup& group, Pair* pair, Delays* delays) {
  CancelScope scope;
  group.spawn(&put_after, delays->left, &pair->left, 1);
  group.spawn(&put_after, delays->left, &pair->right, 2);
  group.spawn(
      [](int delay, CancelScope* scope) -> Co<void> {
        co_await yields(delay);
        scope->cancel();
      },
      delays->right, &scope);
  co_await yields(delays->racer);
  Outcome<RaceResult<Item, Item>> first =
      co_await scope.run(race(pair->left.get(), pair->right.get()));
  co_await sleep(absl::Milliseconds(1));
  EXPECT_EQ(pair->left.size() + pair->right.size(), first.ok() ? 1u : 2u);
  pair->left.shutdown(true);
  pair->right.shutdown(true);
  co_return absl::OkStatus();
}

TEST(Race, ACancelledRaceTakesOneItemOrNone) {
  in_every_order([](Delays& delays) -> Co<absl::Status> {
    Pair pair;
    co_return co_await grouped(&cancelled_race, &pair, &delays);
  });
}

TEST(Race, WithItemsOnBothSidesTheFirstOperandWins) {
  EXPECT_EQ(run_once(0,
                     []() -> Co<absl::Status> {
                       Pair pair;
                       EXPECT_TRUE(pair.left.put_nowait(1).ok());
                       EXPECT_TRUE(pair.right.put_nowait(2).ok());
                       RaceResult<Item, Item> first =
                           co_await race(pair.left.get(), pair.right.get());
                       EXPECT_EQ(first.index(), 0u);
                       EXPECT_EQ(pair.right.size(), 1u);
                       co_return absl::OkStatus();
                     }),
            absl::OkStatus());
}

}  // namespace
}  // namespace fermata

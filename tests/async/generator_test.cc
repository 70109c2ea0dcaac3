// Generator: values one by one.
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Generator<int> count_to(int last) {
  Counted counted;
  for (int i = 1; i <= last; ++i) {
    co_yield i;
    co_await sleep(absl::Seconds(1));
  }
}

Co<std::vector<int>> collect(Generator<int>& numbers) {
  std::vector<int> all;
  for (;;) {
    std::optional<int> number = co_await numbers.next();
    if (!number) break;
    all.push_back(*number);
  }
  co_return all;
}

Co<absl::Status> counts() {
  Generator<int> numbers = count_to(4);
  const absl::Time begin = now();
  std::vector<int> all = co_await collect(numbers);
  EXPECT_EQ(all, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(now() - begin, absl::Seconds(4));
  EXPECT_TRUE(numbers.done());
  std::optional<int> after = co_await numbers.next();
  EXPECT_FALSE(after.has_value());
  co_return absl::OkStatus();
}

TEST(Generator, GivesItsValuesInOrderAndThenNothing) { on_every_seed(&counts); }

Co<absl::Status> drops_early() {
  {
    Generator<int> numbers = count_to(1000);
    std::optional<int> first = co_await numbers.next();
    EXPECT_EQ(first, 1);
    EXPECT_EQ(Counted::live, 1);
  }
  EXPECT_EQ(Counted::live, 0);
  {
    Generator<int> never_begun = count_to(3);
    EXPECT_EQ(Counted::live, 0);
  }
  co_return absl::OkStatus();
}

TEST(Generator, MayBeDroppedAtAnyValueOrBeforeTheFirst) { on_every_seed(&drops_early); }

Generator<int> throws_after(int values) {
  for (int i = 0; i < values; ++i) co_yield i;
  throw std::runtime_error("no more");
}

Co<absl::Status> rethrows() {
  Generator<int> numbers = throws_after(1);
  std::optional<int> first = co_await numbers.next();
  EXPECT_EQ(first, 0);
  std::string what;
  try {
    co_await numbers.next();
  } catch (const std::runtime_error& error) {
    what = error.what();
  }
  EXPECT_EQ(what, "no more");
  std::optional<int> after = co_await numbers.next();
  EXPECT_FALSE(after.has_value());
  co_return absl::OkStatus();
}

TEST(Generator, ThrowsOnceWhatLeftItAndIsThenOver) { on_every_seed(&rethrows); }

Generator<int> sleepy() {
  Counted counted;
  co_yield 1;
  co_await sleep(absl::Hours(1));
  co_yield 2;
}

Co<absl::Status> times_out() {
  Generator<int> numbers = sleepy();
  absl::StatusOr<std::optional<int>> first = co_await timeout(absl::Seconds(1), numbers.next());
  EXPECT_EQ(*first, 1);
  absl::StatusOr<std::optional<int>> second = co_await timeout(absl::Seconds(1), numbers.next());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(numbers.done());
  EXPECT_EQ(Counted::live, 0);
  std::optional<int> after = co_await numbers.next();
  EXPECT_FALSE(after.has_value());
  co_return absl::OkStatus();
}

TEST(Generator, IsOverWhenAWaitForItsValueIsCancelled) { on_every_seed(&times_out); }

Generator<std::string> nested(int depth) {
  co_yield std::string(static_cast<std::size_t>(depth), 'x');
  if (depth == 0) co_return;
  Generator<std::string> inner = nested(depth - 1);
  for (;;) {
    std::optional<std::string> value = co_await inner.next();
    if (!value) break;
    co_await yield_now();
    co_yield *std::move(value);
  }
}

Co<absl::Status> nests() {
  Generator<std::string> all = nested(5);
  std::string lengths;
  for (;;) {
    std::optional<std::string> value = co_await all.next();
    if (!value) break;
    lengths += std::to_string(value->size());
  }
  EXPECT_EQ(lengths, "543210");
  co_return absl::OkStatus();
}

TEST(Generator, MayAwaitAnother) { on_every_seed(&nests); }

Co<absl::Status> consume_slowly() {
  Generator<int> numbers = count_to(5);
  std::vector<int> all = co_await collect(numbers);
  co_return absl::OkStatus();
}

TEST(Generator, CancelledAtEveryPointLeavesNothing) {
  EXPECT_GT(cancel_at_every_turn(&consume_slowly, [] {}), 40u);
}

}  // namespace
}  // namespace fermata

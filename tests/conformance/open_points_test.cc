// Edges where the contract leaves a choice, and what was chosen: each test says what happens today,
// so that a change of mind is seen.
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// ---- races

// timeout() around the race, and inside it, keeps what was got.
TEST(OpenPoints, ATimeoutInsideARaceLosesNothingWhenTheOtherSideIsTime) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Queue<int> queue(4);
    group.spawn(
        [](Queue<int>* queue) -> Co<absl::Status> {
          for (int i = 0; i < 40; ++i) {
            co_await sleep(absl::Milliseconds(1));
            co_await Try(queue->put(i));
          }
          queue->shutdown();
          co_return absl::OkStatus();
        },
        &queue);
    int next = 0;
    for (;;) {
      absl::StatusOr<std::optional<int>> item =
          co_await timeout(absl::Milliseconds(1), queue.get());
      if (!item.ok()) continue;
      if (!item->has_value()) break;
      EXPECT_EQ(**item, next++);
    }
    EXPECT_EQ(next, 40);
    co_return absl::OkStatus();
  });
}

// ---- for_each in a cancelled scope

// An item that shields itself runs to its end; the next one is not begun.
TEST(OpenPoints, ForEachStartsNoMoreWhenItIsCancelled) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int begun = 0;
    std::vector<int> items(10, 1);
    using OnItem = Co<absl::Status> (*)(int, int*);
    const OnItem on_item = [](int, int* begun) -> Co<absl::Status> {
      ++*begun;
      co_await shield(sleep(absl::Seconds(1)));
      co_return absl::OkStatus();
    };
    absl::Status status =
        co_await timeout(absl::Milliseconds(2500), for_each(items, 2, on_item, &begun));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(begun, 6) << "two at a time, three times";
    co_return absl::OkStatus();
  });
}

// ---- results that throw when they are moved

class Fragile {
 public:
  explicit Fragile(int moves) : left_(moves) {}
  Fragile(Fragile&& other) : left_(other.left_ - 1), owned_(std::make_unique<int>(left_)) {
    if (left_ < 0) throw std::runtime_error("moved once too often");
  }
  Fragile& operator=(Fragile&& other) = default;

 private:
  int left_;
  std::unique_ptr<int> owned_;
};

Co<Fragile> fragile(int moves) {
  co_await yield_now();
  co_return Fragile(moves);
}

// Between coroutines a move that throws is an exception like any other.
TEST(OpenPoints, AResultThatThrowsOnItsWayIsAnExceptionInTheCaller) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    int caught = 0;
    for (int moves = 0; moves < 4; ++moves) {
      try {
        Fragile result = co_await fragile(moves);
        break;
      } catch (const std::runtime_error&) {
        ++caught;
      }
    }
    EXPECT_GE(caught, 1);
    EXPECT_LE(caught, 3);
    co_return absl::OkStatus();
  });
}

// What is kept, as a task's outcome is, must move without throwing: Outcome<Fragile> does not
// compile (outcome.h says why), and the result belongs behind a pointer.
Co<std::unique_ptr<Fragile>> fragile_behind_a_pointer(int moves) {
  auto result = std::make_unique<Fragile>(moves);
  co_await yield_now();
  co_return result;
}

TEST(OpenPoints, AResultThatThrowsWhenMovedGoesBehindAPointer) {
  static_assert(!std::is_nothrow_move_constructible_v<Fragile>);
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Task<std::unique_ptr<Fragile>> task = group.spawn(&fragile_behind_a_pointer, 0);
    Outcome<std::unique_ptr<Fragile>> outcome = co_await std::move(task);
    EXPECT_TRUE(outcome.ok());
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

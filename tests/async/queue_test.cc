#include "services/async/queue.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

Co<absl::Status> put_all(Queue<int>* queue, int first, int count) {
  Counted counted;
  for (int i = 0; i < count; ++i) co_await Try(queue->put(first + i));
  co_return absl::OkStatus();
}

Co<absl::Status> get_all(Queue<int>* queue, std::vector<int>* got) {
  Counted counted;
  for (;;) {
    std::optional<int> item = co_await queue->get();
    if (!item.has_value()) co_return absl::OkStatus();
    got->push_back(*item);
    queue->task_done();
  }
}

TEST(Queue, GivesItemsInTheOrderTheyWerePut) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(3);
    std::vector<int> got;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, Queue<int>* queue, std::vector<int>* got) -> Co<absl::Status> {
          group.spawn(get_all, queue, got);
          co_await Try(put_all(queue, 0, 100));
          co_await queue->join();
          EXPECT_EQ(got->size(), 100u);
          queue->shutdown();
          co_return absl::OkStatus();
        },
        &queue, &got);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
    co_return status;
  });
}

// Grows in the middle of its ring, while the items go round.
TEST(Queue, KeepsTheOrderWhileItGrows) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(1000);
    int put = 0;
    int got = 0;
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 3 + round; ++i) EXPECT_EQ(queue.put_nowait(put++), absl::OkStatus());
      for (int i = 0; i < 2; ++i) {
        std::optional<int> item = co_await queue.get();
        EXPECT_EQ(*item, got++);
        queue.task_done();
      }
    }
    EXPECT_EQ(queue.size(), static_cast<std::size_t>(put - got));
    while (std::optional<int> item = queue.get_nowait()) {
      EXPECT_EQ(*item, got++);
      queue.task_done();
    }
    EXPECT_EQ(got, put);
    co_await queue.join();
    co_return absl::OkStatus();
  });
}

// A put looks for getters again after one has been there, and finds the queue as large as it was.
TEST(Queue, HasRoomAgainAfterAGetterHasLeft) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(2);
    for (int round = 0; round < 3; ++round) {
      auto item = co_await timeout(absl::Seconds(1), queue.get());
      EXPECT_EQ(item.status().code(), absl::StatusCode::kDeadlineExceeded);
      EXPECT_EQ(queue.put_nowait(1), absl::OkStatus());
      EXPECT_EQ(queue.put_nowait(2), absl::OkStatus());
      EXPECT_EQ(queue.put_nowait(3).code(), absl::StatusCode::kResourceExhausted);
      EXPECT_EQ(queue.get_nowait(), 1);
      EXPECT_EQ(queue.get_nowait(), 2);
    }
    queue.shutdown();
    EXPECT_EQ(queue.put_nowait(4).code(), absl::StatusCode::kFailedPrecondition);
    co_return absl::OkStatus();
  });
}

TEST(Queue, NowaitRefusesInsteadOfWaiting) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<std::unique_ptr<int>> queue(1);
    EXPECT_EQ(queue.put_nowait(std::make_unique<int>(1)), absl::OkStatus());
    std::unique_ptr<int> kept = std::make_unique<int>(2);
    EXPECT_EQ(queue.put_nowait(std::move(kept)).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_NE(kept, nullptr) << "a refused item stays with its owner";
    std::optional<std::unique_ptr<int>> item = queue.get_nowait();
    EXPECT_EQ(**item, 1);
    EXPECT_FALSE(queue.get_nowait().has_value());
    co_return absl::OkStatus();
  });
}

// test_get_cancelled_race, test_get_cancel_drop_one_pending_reader
TEST(Queue, CancelledGetterLeavesItemForTheNext) {
  const absl::Status status = run_once(0, []() -> Co<absl::Status> {
    Queue<int> queue(1);
    Queue<int>* q = &queue;
    co_return co_await with_group(
        [](TaskGroup& group, Queue<int>* queue) -> Co<absl::Status> {
          using Getter = Co<int> (*)(Queue<int>*);
          Getter get = [](Queue<int>* queue) -> Co<int> {
            std::optional<int> item = co_await queue->get();
            co_return item.value_or(-1);
          };
          Task<int> first = group.spawn(get, queue);
          Task<int> second = group.spawn(get, queue);
          co_await sleep(absl::Seconds(1));
          first.cancel();
          co_await yield_now();
          co_await yield_now();
          EXPECT_EQ(queue->put_nowait(1), absl::OkStatus());
          Outcome<int> gone = co_await first;
          EXPECT_TRUE(gone.cancelled());
          Outcome<int> one = co_await second;
          EXPECT_EQ(one.value(), 1);
          // The other way round: what has been handed over is not taken back.
          Task<int> third = group.spawn(get, queue);
          co_await sleep(absl::Seconds(1));
          EXPECT_EQ(queue->put_nowait(2), absl::OkStatus());
          third.cancel();
          Outcome<int> two = co_await third;
          EXPECT_EQ(two.value(), 2);
          co_return absl::OkStatus();
        },
        q);
  });
  EXPECT_EQ(status, absl::OkStatus());
}

// test_put_cancel_drop
TEST(Queue, CancelledPutterTakesItsItemWithIt) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(1);
    EXPECT_EQ(queue.put_nowait(1), absl::OkStatus());
    absl::Status late = co_await timeout(absl::Seconds(1), queue.put(2));
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
    std::optional<int> item = co_await queue.get();
    EXPECT_EQ(*item, 1);
    EXPECT_TRUE(queue.empty());
    co_return absl::OkStatus();
  });
}

TEST(Queue, TimeoutNeverLosesAnItem) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(4);
    co_return co_await with_group(
        [](TaskGroup& group, Queue<int>* queue) -> Co<absl::Status> {
          group.spawn(
              [](Queue<int>* queue) -> Co<absl::Status> {
                for (int i = 0; i < 60; ++i) {
                  co_await Try(queue->put(i));
                  co_await sleep(absl::Milliseconds(i % 4));
                }
                queue->shutdown();
                co_return absl::OkStatus();
              },
              queue);
          int next = 0;
          for (;;) {
            auto item = co_await timeout(absl::Milliseconds(1), queue->get());
            if (!item.ok()) continue;
            if (!item->has_value()) break;
            EXPECT_EQ(**item, next) << "an item was lost";
            ++next;
          }
          EXPECT_EQ(next, 60);
          co_return absl::OkStatus();
        },
        &queue);
  });
}

// test_shutdown_get_task_done_join, test_shutdown_immediate_get
TEST(Queue, ShutdownDrainsOrDrops) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> drained(4);
    EXPECT_EQ(drained.put_nowait(1), absl::OkStatus());
    drained.shutdown();
    EXPECT_EQ(drained.put_nowait(2).code(), absl::StatusCode::kFailedPrecondition);
    absl::Status refused = co_await drained.put(2);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    std::optional<int> item = co_await drained.get();
    EXPECT_EQ(*item, 1);
    item = co_await drained.get();
    EXPECT_FALSE(item.has_value());
    Queue<int> dropped(4);
    EXPECT_EQ(dropped.put_nowait(1), absl::OkStatus());
    dropped.shutdown(true);
    item = co_await dropped.get();
    EXPECT_FALSE(item.has_value());
    co_await dropped.join();
    co_return absl::OkStatus();
  });
}

TEST(Queue, ShutdownWakesEverybodyWhoWaits) {
  on_every_seed([]() -> Co<absl::Status> {
    Queue<int> queue(1);
    std::vector<int> got;
    co_return co_await with_group(
        [](TaskGroup& group, Queue<int>* queue, std::vector<int>* got) -> Co<absl::Status> {
          for (int i = 0; i < 3; ++i) group.spawn(get_all, queue, got);
          co_await sleep(absl::Seconds(1));
          queue->shutdown();
          co_return absl::OkStatus();
        },
        &queue, &got);
  });
}

TEST(QueueDeathTest, TaskDoneMoreOftenThanPutIsAnError) {
  EXPECT_DEATH(Queue<int>(1).task_done(), "more often than items were put");
}

// test_order
TEST(PriorityQueue, SmallestFirstAndTiesInOrder) {
  on_every_seed([]() -> Co<absl::Status> {
    using Item = std::pair<int, std::string>;
    struct ByNumber {
      bool operator()(const Item& a, const Item& b) const { return a.first < b.first; }
    };
    PriorityQueue<Item, ByNumber> queue(10);
    for (const char* name : {"2a", "1a", "3a", "1b", "2b"}) {
      EXPECT_EQ(queue.put_nowait(Item(name[0] - '0', name)), absl::OkStatus());
    }
    std::string order;
    while (!queue.empty()) {
      std::optional<Item> item = co_await queue.get();
      order += item->second + " ";
    }
    EXPECT_EQ(order, "1a 1b 2a 2b 3a ");
    co_return absl::OkStatus();
  });
}

// ---- against a plain model

// The puts that succeeded. Cancelled operations must appear neither here nor among what was taken.
struct Model {
  std::vector<int> put;
  int next = 0;
};

Co<absl::Status> random_putter(Queue<int>* queue, Model* model, SimLoop* loop) {
  for (int i = 0; i < 30; ++i) {
    co_await sleep(absl::Microseconds(loop->random(400)));
    const int item = model->next++;
    absl::Status status =
        co_await timeout(absl::Microseconds(1 + loop->random(300)), queue->put(item));
    if (status.ok()) model->put.push_back(item);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> random_getter(Queue<int>* queue, std::vector<int>* got, SimLoop* loop) {
  for (;;) {
    co_await sleep(absl::Microseconds(loop->random(400)));
    auto item = co_await timeout(absl::Microseconds(1 + loop->random(300)), queue->get());
    if (!item.ok()) continue;
    if (!item->has_value()) co_return absl::OkStatus();
    got->push_back(**item);
  }
}

TEST(Queue, AgreesWithAPlainModelUnderRandomCancellation) {
  for (std::uint64_t seed = 1; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimLoop loop(seed);
    Model model;
    std::vector<int> got;
    const std::size_t size = 1 + loop.random(3);
    const absl::Status status = loop.run(
        [](SimLoop& loop, Model& model, std::vector<int>& got,
           std::size_t size) -> Co<absl::Status> {
          Queue<int> queue(size);
          co_return co_await with_group(
              [](TaskGroup& group, Queue<int>* queue, SimLoop* loop, Model* model,
                 std::vector<int>* got) -> Co<absl::Status> {
                Task<void> a = group.spawn(random_putter, queue, model, loop);
                Task<void> b = group.spawn(random_putter, queue, model, loop);
                group.spawn(random_getter, queue, got, loop);
                group.spawn(random_getter, queue, got, loop);
                co_await a;
                co_await b;
                queue->shutdown();
                co_return absl::OkStatus();
              },
              &queue, &loop, &model, &got);
        },
        loop, model, got, size);
    ASSERT_EQ(status, absl::OkStatus());
    // Every put that succeeded was taken exactly once, and nothing else.
    std::sort(model.put.begin(), model.put.end());
    std::sort(got.begin(), got.end());
    ASSERT_EQ(model.put, got);
    ASSERT_GT(got.size(), 0u);
  }
}

}  // namespace
}  // namespace fermata

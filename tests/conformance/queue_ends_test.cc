// asyncio's test_queues.py: counting what is done, ending a queue, priorities. Rows 52 to 54.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

using Strings = Queue<std::string>;

Co<std::string> get(Strings* queue) {
  std::optional<std::string> item = co_await queue->get();
  co_return item.value_or("shut down");
}

Co<absl::Status> put(Strings* queue, std::string item) { co_return co_await queue->put(item); }

// Row 52 (same).
TEST(AsyncioQueues, TaskDone) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    Queue<int> queue(100);
    int sum = 0;
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(queue.put_nowait(std::move(i)).ok());
    co_return co_await with_group(
        [](TaskGroup& group, Queue<int>* queue, int* sum) -> Co<absl::Status> {
          for (int i = 0; i < 2; ++i) {
            group.spawn(
                [](Queue<int>* queue, int* sum) -> Co<void> {
                  for (;;) {
                    std::optional<int> item = co_await queue->get();
                    if (!item.has_value()) co_return;
                    co_await yield_now();
                    *sum += *item;
                    queue->task_done();
                  }
                },
                queue, sum);
          }
          co_await queue->join();
          EXPECT_EQ(*sum, 99 * 100 / 2);
          queue->shutdown();
          co_return absl::OkStatus();
        },
        &queue, &sum);
  });
}

TEST(AsyncioQueues, JoinEmptyQueue) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(1);
    co_await queue.join();
    co_await queue.join();
    EXPECT_TRUE(queue.put_nowait("x").ok());
    Task<void> joiner =
        group.spawn([](Strings* queue) -> Co<void> { co_await queue->join(); }, &queue);
    co_await settle();
    EXPECT_EQ(queue.get_nowait(), "x");
    co_await settle();
    EXPECT_FALSE(joiner.done()) << "taken is not done";
    queue.task_done();
    co_await joiner;
    co_return absl::OkStatus();
  });
}

TEST(AsyncioQueuesDeathTest, TaskDoneUnderflow) {
  EXPECT_DEATH(
      {
        Strings queue(1);
        (void)queue.put_nowait("x");
        queue.task_done();
        queue.task_done();
      },
      "more often than items were put");
}

// Row 53 (same): shutdown() drains; those who wait to put are refused, also behind a full queue.
TEST(AsyncioQueues, ShutdownGetTaskDoneJoin) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(1);
    Task<void> joiner = group.spawn(
        [](Strings* queue) -> Co<void> {
          co_await settle();
          co_await queue->join();
        },
        &queue);
    EXPECT_TRUE(queue.put_nowait("last").ok());
    Task<void> refused = group.spawn(
        [](Strings* queue) -> Co<void> {
          absl::Status status = co_await put(queue, "late");
          EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
        },
        &queue);
    co_await sleep(absl::Seconds(1));
    queue.shutdown();
    queue.shutdown();
    co_await refused;
    EXPECT_FALSE(joiner.done());
    std::string item = co_await get(&queue);
    EXPECT_EQ(item, "last");
    queue.task_done();
    co_await joiner;
    item = co_await get(&queue);
    EXPECT_EQ(item, "shut down");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioQueues, ShutdownImmediateGet) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(2);
    EXPECT_TRUE(queue.put_nowait("dropped").ok());
    EXPECT_TRUE(queue.put_nowait("too").ok());
    Task<void> joiner =
        group.spawn([](Strings* queue) -> Co<void> { co_await queue->join(); }, &queue);
    co_await settle();
    queue.shutdown(true);
    co_await joiner;
    std::string item = co_await get(&queue);
    EXPECT_EQ(item, "shut down");
    EXPECT_EQ(queue.size(), 0u);
    co_return absl::OkStatus();
  });
}

// Row 53, test_shutdown_get: those who wait end, and one that was handed an item before keeps it.
TEST(AsyncioQueues, ShutdownGet) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(2);
    std::vector<Task<std::string>> getters;
    for (int i = 0; i < 3; ++i) {
      getters.push_back(group.spawn(&get, &queue));
      co_await settle();
    }
    EXPECT_TRUE(queue.put_nowait("item").ok());
    queue.shutdown(true);
    std::string got;
    for (const Task<std::string>& getter : getters) {
      const Outcome<std::string>& outcome = co_await getter;
      absl::StrAppend(&got, outcome.value(), ";");
    }
    EXPECT_EQ(got, "item;shut down;shut down;");
    co_return absl::OkStatus();
  });
}

// Row 54 (adapted): smallest first; asyncio leaves ties to the heap, ours gives them in the order
// they were put. An item that overtakes is handed to a getter that waits, whatever its priority.
TEST(AsyncioQueues, PriorityOrder) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    PriorityQueue<int> queue(4);
    for (int item : {1, 3, 2}) EXPECT_TRUE(queue.put_nowait(std::move(item)).ok());
    std::vector<int> items;
    while (std::optional<int> item = queue.get_nowait()) items.push_back(*item);
    EXPECT_EQ(items, (std::vector<int>{1, 2, 3}));
    struct First {
      bool operator()(const std::string& a, const std::string& b) const { return a[0] < b[0]; }
    };
    PriorityQueue<std::string, First> ties(50);
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(ties.put_nowait(absl::StrCat(i % 2, " ", 10 + i)).ok());
    }
    std::string previous = "0 0";
    while (std::optional<std::string> item = ties.get_nowait()) {
      EXPECT_LT(previous, *item);
      previous = *item;
    }
    EXPECT_EQ(previous, "1 49");
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

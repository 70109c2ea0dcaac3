// asyncio's test_queues.py: what happens to items when those who wait are cancelled. Rows 48 to 51.
#include <string>
#include <vector>

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

Co<absl::Status> put_now(Strings* queue, std::string item) {
  co_return queue->put_nowait(std::move(item));
}

// Row 48 (same).
TEST(AsyncioQueues, GetCancelledRace) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(4);
    Task<std::string> one = group.spawn(&get, &queue);
    co_await settle();
    Task<std::string> two = group.spawn(&get, &queue);
    co_await settle();
    one.cancel();
    co_await settle();
    EXPECT_TRUE(one.done());
    EXPECT_TRUE(one.outcome().cancelled());
    co_await Try(put(&queue, "a"));
    Outcome<std::string> item = co_await two;
    EXPECT_EQ(item.value(), "a");
    co_return absl::OkStatus();
  });
}

// Row 48, cancel and put in one step: asyncio skips the getter, here it has the item, since a
// request acts when the step is over. Both are orders in which the two could have happened.
TEST(AsyncioQueues, CancelAndPutInOneStep) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(4);
    Task<std::string> one = group.spawn(&get, &queue);
    co_await settle();
    Task<std::string> two = group.spawn(&get, &queue);
    co_await settle();
    one.cancel();
    co_await Try(put_now(&queue, "a"));
    Outcome<std::string> first = co_await one;
    EXPECT_EQ(first.value(), "a");
    co_await Try(put_now(&queue, "b"));
    Outcome<std::string> second = co_await two;
    EXPECT_EQ(second.value(), "b");
    EXPECT_TRUE(queue.empty());
    co_return absl::OkStatus();
  });
}

// Row 49 (same): put, then cancel the getter that was woken. If it gave 2, then 1 was dropped.
TEST(AsyncioQueues, GetCancelDropOnePendingReader) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(4);
    Task<std::string> reader = group.spawn(&get, &queue);
    co_await settle();
    EXPECT_TRUE(queue.put_nowait("1").ok());
    EXPECT_TRUE(queue.put_nowait("2").ok());
    reader.cancel();
    Outcome<std::string> result = co_await reader;
    EXPECT_EQ(result.value(), "1") << "it was handed the item before it was cancelled";
    std::string next = co_await get(&queue);
    EXPECT_EQ(next, "2");
    co_return absl::OkStatus();
  });
}

TEST(AsyncioQueues, GetCancelDropManyPendingReaders) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(4);
    std::vector<Task<std::string>> readers;
    for (int i = 0; i < 3; ++i) {
      readers.push_back(group.spawn(&get, &queue));
      co_await settle();
    }
    readers[0].cancel();
    co_await settle();
    EXPECT_TRUE(queue.put_nowait("1").ok());
    EXPECT_TRUE(queue.put_nowait("2").ok());
    readers[1].cancel();
    Outcome<std::string> none = co_await readers[0];
    Outcome<std::string> one = co_await readers[1];
    Outcome<std::string> two = co_await readers[2];
    EXPECT_TRUE(none.cancelled());
    EXPECT_EQ(one.value(), "1");
    EXPECT_EQ(two.value(), "2");
    co_return absl::OkStatus();
  });
}

// Row 50 (same): either the put happened or it did not; and the item is there once, or not at all.
TEST(AsyncioQueues, PutCancelDrop) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(1);
    EXPECT_TRUE(queue.put_nowait("1").ok());
    Task<void> writer = group.spawn(&put, &queue, "2");
    co_await settle();
    EXPECT_EQ(queue.get_nowait(), "1");
    writer.cancel();
    Outcome<void> outcome = co_await writer;
    EXPECT_TRUE(outcome.ok()) << "there was room before it was cancelled";
    EXPECT_EQ(queue.get_nowait(), "2");
    EXPECT_TRUE(queue.empty());

    EXPECT_TRUE(queue.put_nowait("3").ok());
    writer = group.spawn(&put, &queue, "4");
    co_await settle();
    writer.cancel();
    outcome = co_await writer;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(queue.get_nowait(), "3");
    EXPECT_EQ(queue.get_nowait(), std::nullopt) << "a cancelled putter takes its item with it";
    co_return absl::OkStatus();
  });
}

TEST(AsyncioQueues, PutCancelledRace) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(1);
    std::vector<Task<void>> puts;
    for (const char* item : {"a", "b", "X", "c"}) {
      puts.push_back(group.spawn(&put, &queue, item));
      co_await settle();
    }
    EXPECT_TRUE(puts[0].done());
    EXPECT_FALSE(puts[1].done());
    puts[2].cancel();
    co_await settle();
    EXPECT_TRUE(puts[2].done());
    std::string order;
    for (int i = 0; i < 3; ++i) {
      std::string item = co_await get(&queue);
      order += item;
    }
    EXPECT_EQ(order, "abc");
    EXPECT_TRUE(queue.empty());
    co_return absl::OkStatus();
  });
}

// Row 51 (same): a producer and a consumer that always find the queue full, or empty.
TEST(AsyncioQueues, WhyAreGettersWaiting) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    for (std::size_t size : {1, 2, 5}) {
      Strings queue(size);
      co_await Try(with_group(
          [](TaskGroup& group, Strings* queue) -> Co<absl::Status> {
            for (int task = 0; task < 3; ++task) {
              group.spawn(
                  [](Strings* queue) -> Co<absl::Status> {
                    for (int i = 0; i < 5; ++i) co_await Try(put(queue, "item"));
                    co_return absl::OkStatus();
                  },
                  queue);
              group.spawn(
                  [](Strings* queue) -> Co<void> {
                    for (int i = 0; i < 5; ++i) co_await get(queue);
                  },
                  queue);
            }
            co_return absl::OkStatus();
          },
          &queue));
      EXPECT_TRUE(queue.empty());
    }
    co_return absl::OkStatus();
  });
}

TEST(AsyncioQueues, WhyArePuttersWaiting) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Strings queue(2);
    std::vector<Task<void>> putters;
    for (int i = 0; i < 4; ++i) {
      putters.push_back(group.spawn(&put, &queue, std::to_string(i)));
      co_await settle();
    }
    EXPECT_EQ(queue.size(), 2u);
    std::string order;
    while (std::optional<std::string> item = queue.get_nowait()) order += *item;
    EXPECT_EQ(order, "0123") << "each place that gets free is taken at once, by who waited longest";
    for (const Task<void>& putter : putters) co_await putter;
    co_return absl::OkStatus();
  });
}

// Row 51: a place that gets free is taken at once, in a queue of any size, also while it is far
// from empty; by as many putters as there are places.
TEST(AsyncioQueues, APlaceThatGetsFreeIsTakenAtOnce) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    for (std::size_t size = 1; size <= 5; ++size) {
      Strings queue(size);
      for (std::size_t i = 0; i < size; ++i) EXPECT_TRUE(queue.put_nowait("first").ok());
      std::vector<Task<void>> putters;
      for (std::size_t i = 0; i < size; ++i) putters.push_back(group.spawn(&put, &queue, "later"));
      co_await settle();
      for (std::size_t got = 1; got <= size; ++got) {
        EXPECT_EQ(queue.get_nowait(), "first");
        EXPECT_EQ(queue.size(), size) << "a putter waits beside a free place";
        co_await settle();
        std::size_t done = 0;
        for (const Task<void>& putter : putters) done += putter.done() ? 1 : 0;
        EXPECT_EQ(done, got);
      }
    }
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

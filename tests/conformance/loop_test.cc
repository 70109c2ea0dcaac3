// asyncio's test_base_events.py and test_events.py: turns, dropped timers, threads, descriptors.
// Rows 61 to 64; the slow step report of row 63 is in watchdog_test.cc.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// Row 61 (same): what a callback queues runs in the next turn, not in this one, so a callback that
// queues itself for ever starves nobody.
TEST(AsyncioBaseEvents, RunOnceScheduleHandle) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    struct Again {
      static void post(Loop* loop, int* calls, bool* stop) {
        loop->post([loop, calls, stop] {
          ++*calls;
          if (!*stop) post(loop, calls, stop);
        });
      }
    };
    int calls = 0;
    bool stop = false;
    Again::post(&Loop::current(), &calls, &stop);
    int most = 0;
    for (int turn = 0; turn < 50; ++turn) {
      const int before = calls;
      co_await yield_now();
      most = std::max(most, calls - before);
    }
    EXPECT_EQ(most, 1) << "it runs at every turn, and once";
    stop = true;
    co_await settle();  // for the call that is queued
    co_return absl::OkStatus();
  });
}

// Row 61 (same): what a step makes ready waits for those that were ready before it.
TEST(AsyncioBaseEvents, RunOnce) {
  const absl::Status status = run_once(0, []() -> Co<absl::Status> {
    std::string order;
    absl::Status status = co_await with_group(
        [](TaskGroup& group, std::string* order) -> Co<absl::Status> {
          for (char name : {'a', 'b', 'c'}) {
            group.spawn(
                [](TaskGroup* group, char name, std::string* order) -> Co<void> {
                  *order += name;
                  group->spawn(
                      [](char name, std::string* order) -> Co<void> {
                        *order += static_cast<char>(name - 'a' + 'A');
                        co_return;
                      },
                      name, order);
                  co_await yield_now();
                  *order += name;
                },
                &group, name, order);
          }
          co_return absl::OkStatus();
        },
        &order);
    EXPECT_EQ(order, "abcAaBbCc");
    co_return status;
  });
  EXPECT_EQ(status, absl::OkStatus());
}

// Row 62 (same): timers that were dropped do not pile up, in whatever order they go.
TEST(AsyncioBaseEvents, RunOnceCancelledEventCleanup) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::vector<Task<void>> sleepers;
    for (int i = 0; i < 500; ++i) {
      sleepers.push_back(group.spawn([](int i) -> Co<void> { co_await sleep(absl::Hours(i)); },
                                     1 + i * 7919 % 500));
    }
    Task<void> timed = group.spawn([]() -> Co<void> {
      absl::Status status = co_await timeout(absl::Hours(2), sleep(absl::Hours(3)));
    });
    co_await settle();
    EXPECT_EQ(Loop::current().stats().timers, 502u);
    for (std::size_t i = 0; i < sleepers.size(); i += 2) sleepers[i].cancel();
    co_await settle();
    EXPECT_EQ(Loop::current().stats().timers, 252u);
    for (const Task<void>& sleeper : sleepers) sleeper.cancel();
    timed.cancel();
    co_await settle();
    EXPECT_EQ(Loop::current().stats().timers, 0u);
    co_return absl::OkStatus();
  });
}

// Row 63, test_check_thread (same): touching a loop from another thread is an error, and no race.
TEST(AsyncioBaseEventsDeathTest, CheckThread) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        SimLoop loop;
        Event event;
        (void)loop.run(
            [](Event* event) -> Co<absl::Status> {
              co_return co_await with_group(
                  [](TaskGroup& group, Event* event) -> Co<absl::Status> {
                    group.spawn([](Event* event) -> Co<void> { co_await event->wait(); }, event);
                    co_await settle();
                    std::thread other([event] { event->set(); });
                    other.join();
                    co_return absl::OkStatus();
                  },
                  event);
            },
            &event);
      },
      "on a loop's own thread|in a loop, that is not its own");
  EXPECT_DEATH(
      {
        SimLoop loop;
        (void)loop.run([]() -> Co<absl::Status> {
          co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
            Task<void> sleeper = group.spawn(&sleep_an_hour);
            co_await settle();
            std::thread other([&sleeper] { sleeper.cancel(); });
            other.join();
            co_return absl::OkStatus();
          });
        });
      },
      "on a loop's own thread|in a loop, that is not its own");
}

// Row 64 (same): FIFO, from the loop's thread and from another one, and the loop wakes for it.
TEST(AsyncioEvents, CallSoonThreadsafe) {
  EpollLoop loop;
  std::string order;
  Event done;
  loop.post([&order] { order += "1"; });
  std::thread other;
  EXPECT_EQ(loop.run(
                [](std::string* order, Event* done, std::thread* other) -> Co<absl::Status> {
                  *order += "2";
                  Loop* loop = &Loop::current();
                  *other = std::thread([loop, order, done] {
                    loop->post([order] { *order += "3"; });
                    loop->post([order, done] {
                      *order += "4";
                      done->set();
                    });
                  });
                  co_await done->wait();
                  co_return absl::OkStatus();
                },
                &order, &done, &other),
            absl::OkStatus());
  other.join();
  EXPECT_TRUE(order == "1234" || order == "2134") << order;
}

struct Pair {
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  ~Pair() {
    close(fds[0]);
    close(fds[1]);
  }
  int fds[2];
};

Co<absl::Status> reader_callback_cancel(TaskGroup& group) {
  Pair one;
  Pair two;
  const char byte = 1;
  int fired = 0;
  using Reader = Co<void> (*)(int, Task<void>*, int*);
  const Reader reader = [](int fd, Task<void>* other, int* fired) -> Co<void> {
    absl::Status status = co_await readable(fd);
    EXPECT_TRUE(status.ok());
    ++*fired;
    other->cancel();
    co_await yield_now();
  };
  // Both are ready in one look at the kernel, and each cancels the other: both were woken.
  Task<void> first;
  Task<void> second;
  first = group.spawn(reader, one.fds[0], &second, &fired);
  second = group.spawn(reader, two.fds[0], &first, &fired);
  co_await sleep(absl::Microseconds(100));
  EXPECT_EQ(write(one.fds[1], &byte, 1), 1);
  EXPECT_EQ(write(two.fds[1], &byte, 1), 1);
  co_await first;
  co_await second;
  EXPECT_GE(fired, 1);
  // One that was cancelled before anything came never fires; the next reader finds the byte.
  char drain[8];
  while (read(one.fds[0], drain, sizeof drain) > 0) {
  }
  fired = 0;
  Task<void> gone = group.spawn(reader, one.fds[0], &first, &fired);
  co_await sleep(absl::Microseconds(100));
  gone.cancel();
  Outcome<void> outcome = co_await gone;
  EXPECT_TRUE(outcome.cancelled());
  EXPECT_EQ(Loop::current().stats().timers, 0u);
  EXPECT_EQ(write(one.fds[1], &byte, 1), 1);
  co_await sleep(absl::Microseconds(100));
  EXPECT_EQ(fired, 0);
  absl::Status ready = co_await timeout(absl::Seconds(30), readable(one.fds[0]));
  co_return ready;
}

// Row 64, test_reader_callback_cancel (same), on both loops.
TEST(AsyncioEvents, ReaderCallbackCancel) {
  EpollLoop loop;
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    co_return co_await with_group(&reader_callback_cancel);
  }),
            absl::OkStatus());
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    co_return co_await reader_callback_cancel(group);
  });
}

// Row 64, test_run_in_executor_cancel (same), under the seeds: not begun, running, on its way back.
TEST(AsyncioEvents, RunInExecutorCancel) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    for (int us = 0; us < 4000; us += 200) {
      bool ran = false;
      Task<int> task = group.spawn(
          [](bool* ran) -> Co<int> {
            Counted counted;
            int value = co_await offload(
                [](bool* ran, Counted) {
                  *ran = true;
                  return 42;
                },
                ran, Counted());
            co_return value;
          },
          &ran);
      co_await sleep(absl::Microseconds(us));
      const bool had_begun = ran;
      task.cancel();
      const bool had_ended = task.done();
      Outcome<int> outcome = co_await task;
      EXPECT_EQ(outcome.ok(), had_ended);
      EXPECT_EQ(ran, had_begun) << "a call that was withdrawn ran";
      EXPECT_EQ(Counted::live, 0);
    }
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

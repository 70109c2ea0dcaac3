// The parts below the primitives: timers, the ready ring, the frame pool, outcomes.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

// ---- TimerHeap against std::map

struct TestTimer : Timer {
  TestTimer(int id, std::vector<int>& fired) : Timer(&on_fire), id(id), fired(fired) {}
  static void on_fire(Timer& timer) noexcept {
    auto& self = static_cast<TestTimer&>(timer);
    self.fired.push_back(self.id);
  }
  int id;
  std::vector<int>& fired;
};

TEST(TimerHeap, AgreesWithAPlainModel) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    TimerHeap heap;
    std::vector<int> fired;
    std::vector<std::unique_ptr<TestTimer>> timers;
    // Odd seeds arm with a few durations, as timeouts do: those fill the lanes, and leave holes.
    const bool few_durations = seed % 2 == 1;
    const std::uint32_t count = seed % 5 == 0 ? 700 : 64;
    for (std::uint32_t i = 0; i < count; ++i) {
      timers.push_back(std::make_unique<TestTimer>(static_cast<int>(i), fired));
    }
    std::map<std::pair<std::int64_t, int>, int> model;  // (deadline, order of arming) -> id
    std::map<int, std::pair<std::int64_t, int>> armed;
    int order = 0;
    std::int64_t now = 0;
    for (int step = 0; step < 6000; ++step) {
      const int id = static_cast<int>(random() % count);
      const auto found = armed.find(id);
      switch (random() % 4) {
        case 0:
        case 1: {
          if (found != armed.end()) model.erase(found->second);
          constexpr std::int64_t kDurations[] = {10, 40, 300, 1000, 5000, 20'000};
          const std::int64_t delay = few_durations ? kDurations[random() % 6] : random() % 50;
          const std::int64_t deadline = now + delay;
          heap.arm(*timers[static_cast<std::size_t>(id)], deadline);
          armed[id] = {deadline, order};
          model[{deadline, order++}] = id;
          break;
        }
        case 2:
          heap.disarm(*timers[static_cast<std::size_t>(id)]);
          if (found != armed.end()) {
            model.erase(found->second);
            armed.erase(found);
          }
          break;
        default: {
          now += static_cast<std::int64_t>(random() % 20);
          fired.clear();
          heap.fire_due(now);
          std::vector<int> expected;
          while (!model.empty() && model.begin()->first.first <= now) {
            expected.push_back(model.begin()->second);
            armed.erase(model.begin()->second);
            model.erase(model.begin());
          }
          ASSERT_EQ(fired, expected);
        }
      }
      ASSERT_EQ(heap.size(), model.size());
      ASSERT_EQ(heap.next_deadline_ns(),
                model.empty() ? TimerHeap::kNever : model.begin()->first.first);
    }
    for (const auto& timer : timers) heap.disarm(*timer);
  }
}

TEST(TimerHeap, ATimerArmedByAFiringOneWaitsItsTurn) {
  struct Again : Timer {
    explicit Again(TimerHeap& heap) : Timer(&on_fire), heap(heap) {}
    static void on_fire(Timer& timer) noexcept {
      auto& self = static_cast<Again&>(timer);
      ++self.count;
      self.heap.arm(self, 0);
    }
    TimerHeap& heap;
    int count = 0;
  };
  TimerHeap heap;
  Again again(heap);
  heap.arm(again, 0);
  EXPECT_EQ(heap.fire_due(10), 1u);
  EXPECT_EQ(again.count, 1);
  heap.disarm(again);
}

TEST(TimerHeap, FiresNoMoreThanItIsAskedTo) {
  TimerHeap heap;
  std::vector<int> fired;
  std::vector<std::unique_ptr<TestTimer>> timers;
  for (int i = 0; i < 10; ++i) {
    timers.push_back(std::make_unique<TestTimer>(i, fired));
    heap.arm(*timers.back(), i / 2);
  }
  EXPECT_EQ(heap.fire_due(3, 3), 3u);
  EXPECT_EQ(heap.fire_due(3, 100), 5u);
  EXPECT_EQ(heap.fire_due(3, 100), 0u);
  EXPECT_EQ(fired, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  for (const auto& timer : timers) heap.disarm(*timer);
}

// ---- ReadyRing

TEST(ReadyRing, KeepsOrderWhileItGrows) {
  ReadyRing ring;
  std::vector<std::unique_ptr<Runnable>> entries;
  std::deque<void*> model;
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 5 < 3 || model.empty()) {
      entries.push_back(std::make_unique<Runnable>([](Runnable*) noexcept {}));
      ring.push(entries.back()->handle(), nullptr);
      model.push_back(entries.back().get());
    } else {
      ASSERT_EQ(ring.pop().what.address(), model.front());
      model.pop_front();
    }
    ASSERT_EQ(ring.size(), model.size());
  }
  EXPECT_GT(ring.size(), 1024u);
}

TEST(ReadyRing, GivesMemoryBackWhenACrowdHasGone) {
  ReadyRing ring;
  Runnable entry([](Runnable*) noexcept {});
  const std::size_t usual = ring.capacity();
  for (int i = 0; i < 100'000; ++i) ring.push(entry.handle(), nullptr);
  EXPECT_GE(ring.capacity(), 100'000u);
  for (int i = 0; i < 99'990; ++i) {
    (void)ring.pop();
    ring.trim();
  }
  EXPECT_EQ(ring.size(), 10u);
  EXPECT_EQ(ring.capacity(), usual);
  while (!ring.empty()) ASSERT_EQ(ring.pop().what.address(), &entry);
}

// ---- frame pool

TEST(FramePool, BlocksAreAlignedDisjointAndCounted) {
  const std::int64_t before = frame_pool_stats().live;
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (std::size_t bytes : {1u, 16u, 31u, 32u, 33u, 100u, 2048u, 2049u, 5000u, 100'000u}) {
    for (int i = 0; i < 20; ++i) {
      auto* block = static_cast<unsigned char*>(fermata_frame_alloc(bytes));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0u);
      std::fill_n(block, bytes, static_cast<unsigned char>(blocks.size()));
      blocks.emplace_back(block, bytes);
    }
  }
  EXPECT_EQ(frame_pool_stats().live, before + static_cast<std::int64_t>(blocks.size()));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, bytes] = blocks[i];
    EXPECT_TRUE(
        std::all_of(block, block + bytes,
                    [i](unsigned char byte) { return byte == static_cast<unsigned char>(i); }))
        << "block " << i << " was overwritten by another";
    fermata_frame_free(block, bytes);
  }
  EXPECT_EQ(frame_pool_stats().live, before);
}

// ---- Outcome

TEST(Outcome, SaysWhichOfTheThreeItIs) {
  const Outcome<int> value(3);
  EXPECT_TRUE(value.ok());
  EXPECT_EQ(*value, 3);
  const auto error = Outcome<int>::error(absl::NotFoundError("x"));
  EXPECT_FALSE(error.ok());
  EXPECT_FALSE(error.cancelled());
  const auto late = Outcome<int>::cancelled(CancelReason::kDeadline);
  EXPECT_TRUE(late.cancelled());
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto asked = Outcome<void>::cancelled(CancelReason::kRequested);
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kCancelled);
}

TEST(OutcomeDeathTest, ValueOfAnErrorIsAnError) {
  const auto error = Outcome<int>::error(absl::NotFoundError("x"));
  EXPECT_DEATH((void)error.value(), "ask ok\\(\\) first");
}

// ---- SimLoop

TEST(SimLoop, NamesTheTasksOfADeadlock) {
  SimLoop loop;
  const absl::Status status = loop.run([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      Lock lock;
      Lock::Guard guard = co_await lock.acquire();
      Outcome<void> never = co_await group.spawn_named(
          "second taker",
          [](Lock* lock) -> Co<absl::Status> {
            Lock::Guard guard = co_await lock->acquire();
            co_return absl::OkStatus();
          },
          &lock);
      co_return absl::OkStatus();
    });
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(status.message().find("deadlock"), std::string::npos) << status;
  EXPECT_NE(status.message().find("second taker"), std::string::npos) << status;
}

TEST(SimLoop, TheSameSeedGivesTheSameRun) {
  const auto trace = [](std::uint64_t seed) {
    std::string log;
    SimLoop loop(seed);
    EXPECT_EQ(loop.run(
                  [](std::string& log) -> Co<absl::Status> {
                    co_return co_await with_group(
                        [](TaskGroup& group, std::string& log) -> Co<absl::Status> {
                          for (int i = 0; i < 8; ++i) {
                            group.spawn(
                                [](int i, std::string* log) -> Co<void> {
                                  for (int k = 0; k < 4; ++k) {
                                    *log += std::to_string(i);
                                    co_await yield_now();
                                  }
                                },
                                i, &log);
                          }
                          co_return absl::OkStatus();
                        },
                        log);
                  },
                  log),
              absl::OkStatus());
    return log;
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
  EXPECT_EQ(trace(0), "01234567012345670123456701234567");
}

TEST(SimLoop, OffloadedCallsTakeVirtualTimeAndCanBeCancelled) {
  on_every_seed([]() -> Co<absl::Status> {
    const absl::Time start = now();
    int n = co_await offload([](int x) { return x + 1; }, 1);
    EXPECT_EQ(n, 2);
    EXPECT_LE(now() - start, absl::Milliseconds(4));
    for (int us = 1; us < 3000; us += 150) {
      auto result =
          co_await timeout(absl::Microseconds(us),
                           offload([](std::string text) { return text; }, std::string(100, 'x')));
      EXPECT_TRUE(result.ok() || result.status().code() == absl::StatusCode::kDeadlineExceeded);
    }
    co_return absl::OkStatus();
  });
}

// ---- ps

Co<absl::Status> read_request(Event* event) {
  co_await event->wait();
  co_return absl::OkStatus();
}

Co<absl::Status> handle(Event* event) {
  absl::Status status = co_await timeout(absl::Hours(1), read_request(event));
  co_return status;
}

TEST(Ps, ShowsTasksTheirParentsAndWhereTheyWait) {
  on_every_seed([]() -> Co<absl::Status> {
    Event event;
    co_return co_await with_group(
        [](TaskGroup& group, Event* event) -> Co<absl::Status> {
          Task<void> conn = group.spawn_named("conn", handle, event);
          co_await sleep(absl::Seconds(1));
          const std::vector<TaskInfo> tasks = ps(Loop::current());
          EXPECT_EQ(tasks.size(), 2u);
          EXPECT_EQ(tasks[0].name, "main");
          EXPECT_EQ(tasks[1].name, "conn");
          EXPECT_EQ(tasks[1].parent, tasks[0].id);
          EXPECT_EQ(tasks[1].state, "waiting");
          EXPECT_EQ(tasks[1].where.find("read_request:"), 0u) << tasks[1].where;
          EXPECT_NE(tasks[1].where.find("< handle:"), std::string::npos) << tasks[1].where;
          EXPECT_NE(pstree(Loop::current()).find("└─ conn"), std::string::npos);
          conn.cancel();
          EXPECT_EQ(ps(Loop::current())[1].state, "cancelling");
          event->set();
          co_return absl::OkStatus();
        },
        &event);
  });
}

Co<absl::Status> busy_in_a_branch(int* seen) {
  for (int i = 0; i < 4; ++i) co_await yield_now();
  for (const TaskInfo& task : ps(Loop::current())) {
    if (task.name == "branches") *seen += task.state == "ready" ? 1 : 100;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> branches(int* seen) {
  absl::Status done = co_await gather(busy_in_a_branch(seen), sleep(absl::Seconds(1)));
  co_return done;
}

// One of its bodies runs while the task itself is parked at the gather.
TEST(Ps, ATaskIsReadyWhileOneOfItsBranchesRuns) {
  int seen = 0;
  int* at = &seen;
  EXPECT_EQ(run_once(
                0,
                [](int*& seen) -> Co<absl::Status> {
                  co_return co_await with_group(
                      [](TaskGroup& group, int* seen) -> Co<absl::Status> {
                        group.spawn_named("branches", &branches, seen);
                        co_await sleep(absl::Milliseconds(1));
                        for (const TaskInfo& task : ps(Loop::current())) {
                          if (task.name == "branches") {
                            EXPECT_EQ(task.state, "waiting");
                          }
                        }
                        co_return absl::OkStatus();
                      },
                      seen);
                },
                at),
            absl::OkStatus());
  EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace fermata

// The core at scale: a million tasks asleep on one loop, 10 000 timeouts that end together.
//
// Nothing here measures time or resident memory: bytes are counted where they are taken, from the
// frame pool and from the heap. tests/bench/async measures the same on the machine.
#include <algorithm>
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"
#include "tests/bench/async/heap_count.h"

namespace fermata {
namespace {

constexpr long kMillion = 1'000'000;

// What a sleeping task may take in all. Without optimisation frames are larger. In sanitizer builds
// frames are plain malloc blocks, and only the rest is counted.
#ifdef NDEBUG
constexpr std::int64_t kBytesPerTask = 256;
#elif defined(__clang__)
constexpr std::int64_t kBytesPerTask = 272;
#else  // g++ 12 gives every temporary of a frame a place of its own
constexpr std::int64_t kBytesPerTask = 304;
#endif

std::int64_t bytes_taken() {
  return frame_pool_stats().reserved_bytes + bench::heap_count().live_bytes;
}

struct Woken {
  std::int64_t last_ns = 0;
  long count = 0;
  long early = 0;
  long out_of_order = 0;
};

Co<void> sleep_and_note(std::int64_t deadline_ns, Woken* woken) {
  co_await Sleep(deadline_ns);
  ++woken->count;
  if (Loop::current().now_ns() < deadline_ns) ++woken->early;
  if (deadline_ns < woken->last_ns) ++woken->out_of_order;
  woken->last_ns = deadline_ns;
}

// Deadlines in an order that has nothing to do with that of arming; each is there once.
Co<absl::Status> put_to_sleep(TaskGroup& group, long sleepers, absl::Duration at_least,
                              Woken* woken) {
  std::int64_t first = Loop::current().deadline_after(at_least);
  std::int64_t offset = 0;
  for (long i = 0; i < sleepers; ++i) {
    offset = (offset + 618'033) % sleepers;
    group.spawn(&sleep_and_note, first + offset, woken);
  }
  co_return absl::OkStatus();
}

TEST(Scale, AMillionSleepersWakeInTheOrderOfTheirDeadlines) {
  Woken woken;
  EXPECT_EQ(run_once(
                1,
                [](Woken& woken) -> Co<absl::Status> {
                  co_return co_await with_group(&put_to_sleep, kMillion, absl::Seconds(1), &woken);
                },
                woken),
            absl::OkStatus());
  EXPECT_EQ(woken.count, kMillion);
  EXPECT_EQ(woken.early, 0);
  EXPECT_EQ(woken.out_of_order, 0);
}

TEST(Scale, SleepersOfTheRealLoopWakeInTheOrderOfTheirDeadlines) {
  Woken woken;
  EpollLoop loop;
  EXPECT_EQ(loop.run(
                [](Woken* woken) -> Co<absl::Status> {
                  co_return co_await with_group(&put_to_sleep, 10'000, absl::Seconds(1), woken);
                },
                &woken),
            absl::OkStatus());
  EXPECT_EQ(woken.count, 10'000);
  EXPECT_EQ(woken.early, 0);
  // A checked build shuffles on purpose.
  if (!kChecked) {
    EXPECT_EQ(woken.out_of_order, 0);
  }
}

Co<void> nap(absl::Duration duration) { co_await sleep(duration); }

Co<absl::Status> count_bytes_asleep(TaskGroup& group, std::int64_t* bytes) {
  const std::int64_t before = bytes_taken();
  for (long i = 0; i < kMillion; ++i) {
    group.spawn(&nap, absl::Hours(1) + absl::Nanoseconds(i * 618'033 % kMillion));
  }
  while (Loop::current().stats().timers < kMillion) co_await yield_now();
  *bytes = bytes_taken() - before;
  group.cancel();
  co_return absl::OkStatus();
}

TEST(Scale, AMillionSleepersOfTheRealLoopTakeFewBytesAndAllEndWhenCancelled) {
  std::int64_t bytes = 0;
  std::int64_t frames_left = -1;
  // On a thread of its own, whose frame pool is empty: what is recycled would not be counted.
  std::thread thread([&] {
    {
      EpollLoop loop;
      EXPECT_EQ(loop.run(
                    [](std::int64_t* bytes) -> Co<absl::Status> {
                      co_return co_await with_group(&count_bytes_asleep, bytes);
                    },
                    &bytes),
                absl::OkStatus());
    }
    frames_left = frame_pool_stats().live;
  });
  thread.join();
  EXPECT_EQ(frames_left, 0) << "frames leaked";
  RecordProperty("bytes_per_task", static_cast<int>(bytes / kMillion));
  EXPECT_LE(bytes / kMillion, kBytesPerTask);
  EXPECT_GE(bytes / kMillion, 8) << "nothing was counted";
}

// ---- many timeouts at once

constexpr long kTimeouts = 10'000;

Co<absl::Status> wait_deep(Event* never, int frames) {
  if (frames == 1) {
    co_await never->wait();
    co_return absl::OkStatus();
  }
  absl::Status status = co_await wait_deep(never, frames - 1);
  co_return status;
}

Co<void> request(Event* never) {
  absl::Status status = co_await timeout(absl::Hours(1), wait_deep(never, 5));
}

// What is destroyed between two turns of a task that is always ready.
Co<void> watch_turns(const bool* over, std::int64_t* most) {
  std::int64_t last = frame_pool_stats().live;
  while (!*over) {
    co_await yield_now();
    *most = std::max(*most, last - frame_pool_stats().live);
    last = frame_pool_stats().live;
  }
}

Co<absl::Status> cancel_all(TaskGroup& group, Event* never) {
  for (long i = 0; i < kTimeouts; ++i) group.spawn(&request, never);
  while (Loop::current().stats().timers < kTimeouts) co_await yield_now();
  group.cancel();
  co_return absl::OkStatus();
}

Co<absl::Status> watch_cancelling(TaskGroup& group, std::int64_t* most) {
  Event never;
  bool over = false;
  Task<void> watcher = group.spawn(&watch_turns, &over, most);
  absl::Status status = co_await with_group(&cancel_all, &never);
  over = true;
  co_await watcher;
  co_return status;
}

TEST(Scale, TenThousandTimeoutsAreCancelledInPiecesBetweenWhichOthersRun) {
  std::int64_t most = 0;
  EpollLoop loop;
  EXPECT_EQ(loop.run(
                [](std::int64_t* most) -> Co<absl::Status> {
                  co_return co_await with_group(&watch_cancelling, most);
                },
                &most),
            absl::OkStatus());
  // A delivery or a step destroys the frames of one request at most: task, timeout and body.
  EXPECT_LE(most, 8 * static_cast<std::int64_t>(Loop::kTurnDeliveries + Loop::kTurnSteps));
  EXPECT_GT(most, 0) << "nothing was seen";
}

struct DueTimer : Timer {
  DueTimer() : Timer(&DueTimer::count_up) {}
  static void count_up(Timer& self) noexcept { ++*static_cast<DueTimer&>(self).fired; }
  std::uint64_t* fired = nullptr;
};

Co<absl::Status> watch_firing(std::uint64_t* most) {
  Loop& loop = Loop::current();
  std::vector<DueTimer> timers(kTimeouts);
  std::uint64_t fired = 0;
  for (DueTimer& timer : timers) {
    timer.fired = &fired;
    loop.timers().arm(timer, loop.now_ns() + 1);
  }
  while (fired < timers.size()) {
    const std::uint64_t before = fired;
    co_await yield_now();
    *most = std::max(*most, fired - before);
  }
  co_return absl::OkStatus();
}

TEST(Scale, TenThousandTimersThatAreDueTogetherFireInPiecesBetweenWhichOthersRun) {
  std::uint64_t most = 0;
  EpollLoop loop;
  EXPECT_EQ(loop.run(&watch_firing, &most), absl::OkStatus());
  EXPECT_LE(most, Loop::kTurnTimers);
}

}  // namespace
}  // namespace fermata

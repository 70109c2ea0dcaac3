// The core at scale: a million tasks asleep on one loop.
//
// Nothing here measures time or resident memory: bytes are counted where they are taken, from the
// frame pool and from the heap. tests/bench/async measures the same on the machine.
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
#else
constexpr std::int64_t kBytesPerTask = 272;
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
  EXPECT_EQ(woken.out_of_order, 0);
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

}  // namespace
}  // namespace fermata

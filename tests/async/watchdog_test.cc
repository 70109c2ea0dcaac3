// The watchdog, and reports of tasks that do not stop.
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/stall_detector.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

// ---- StallDetector: all of its times are given

class Detector {
 public:
  explicit Detector(std::size_t per_minute) : detector_(absl::Milliseconds(100), per_minute) {}
  bool at(int ms, std::uint64_t pulse, bool asleep = false) {
    const absl::Time now = absl::UnixEpoch() + absl::Hours(1) + absl::Milliseconds(ms);
    return detector_.observe(pulse, asleep, now).has_value();
  }
  std::uint64_t stalls() const { return detector_.stalls(); }

 private:
  StallDetector detector_;
};

TEST(StallDetector, TellsAStallOnceWhenItIsLongerThanTheThreshold) {
  Detector detector(100);
  EXPECT_FALSE(detector.at(0, 1));
  EXPECT_FALSE(detector.at(99, 1));
  EXPECT_TRUE(detector.at(100, 1));
  EXPECT_FALSE(detector.at(5000, 1));
  EXPECT_FALSE(detector.at(5001, 2));
  EXPECT_TRUE(detector.at(5101, 2));
  EXPECT_EQ(detector.stalls(), 2u);
}

TEST(StallDetector, StepsAndSleepAreNotStalls) {
  Detector detector(100);
  for (int ms = 0; ms < 2000; ms += 90) EXPECT_FALSE(detector.at(ms, static_cast<unsigned>(ms)));
  for (int ms = 2000; ms <= 9000; ms += 500) EXPECT_FALSE(detector.at(ms, 7, true));
  EXPECT_FALSE(detector.at(9050, 7));
  EXPECT_TRUE(detector.at(9100, 7)) << "it woke, and takes no step";
}

TEST(StallDetector, IsSilentAfterSoManyAMinuteButGoesOnCounting) {
  Detector detector(2);
  int told = 0;
  for (int i = 0; i < 10; ++i) {
    told += detector.at(i * 1000, static_cast<unsigned>(i)) ? 1 : 0;
    told += detector.at(i * 1000 + 500, static_cast<unsigned>(i)) ? 1 : 0;
  }
  EXPECT_EQ(told, 2);
  EXPECT_EQ(detector.stalls(), 10u);
  EXPECT_FALSE(detector.at(70'000, 99));
  EXPECT_TRUE(detector.at(70'500, 99));
}

// ---- Watchdog, on a real loop

// TSan delivers a signal in frames of its own, from which no stack of the step can be taken.
#if defined(__SANITIZE_THREAD__)
constexpr bool kHasStack = false;
#elif defined(__has_feature)
constexpr bool kHasStack = !__has_feature(thread_sanitizer);
#else
constexpr bool kHasStack = true;
#endif

struct Reports {
  void add(const Watchdog::Report& report) {
    const std::lock_guard<std::mutex> lock(mutex);
    last = report;
    seen.store(true);
  }
  std::mutex mutex;
  Watchdog::Report last;
  std::atomic<bool> seen{false};
};

[[gnu::noinline]] void block_until_seen(Reports* reports) {
  // No call: libc has no frame pointers, and would hide the caller from the stack.
  while (!reports->seen.load(std::memory_order_relaxed)) continue;
}

Co<void> block_the_loop(Reports* reports) {
  co_await yield_now();
  block_until_seen(reports);
}

Co<absl::Status> be_watched(TaskGroup& group, Reports* reports) {
  Watchdog::Options options;
  options.threshold = absl::Milliseconds(20);
  Watchdog watchdog(options, [reports](const Watchdog::Report& report) { reports->add(report); });
  Task<void> task = group.spawn_named("the slow one", &block_the_loop, reports);
  co_await task;
  EXPECT_GE(watchdog.stalls(), 1u);
  co_return absl::OkStatus();
}

TEST(Watchdog, NamesTheTaskThatBlocksItsLoopAndWhere) {
  Reports reports;
  EXPECT_EQ(run(with_group(&be_watched, &reports)), absl::OkStatus());
  EXPECT_EQ(reports.last.task, "the slow one");
  EXPECT_GE(reports.last.blocked, absl::Milliseconds(20));
  if (!kHasStack) return;
  EXPECT_NE(reports.last.to_string().find("block_until_seen"), std::string::npos)
      << reports.last.to_string();
}

// ---- What does not stop when it is cancelled

Co<void> stubborn() { co_await shield(sleep(absl::Seconds(30))); }

Co<absl::Status> leave_stubborn(std::vector<std::string>* reports) {
  MainLoop& loop = static_cast<MainLoop&>(Loop::current());
  loop.set_linger_handler([reports](const std::vector<TaskInfo>& tasks) {
    for (const TaskInfo& task : tasks) reports->push_back(task.name + " at " + task.where);
  });
  loop.set_grace(absl::Seconds(5));
  loop.root().spawn_named("stubborn one", &stubborn);
  loop.root().spawn_named("meek one", [](int) -> Co<void> { co_await sleep(absl::Hours(1)); }, 0);
  co_await yield_now();
  co_await sleep(absl::Seconds(1));
  co_return absl::OkStatus();
}

TEST(Grace, WhatOutlivesMainIsReportedByNameAndWhereItWaits) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::vector<std::string> reports;
    SimLoop loop(seed);
    EXPECT_EQ(loop.run(leave_stubborn(&reports)), absl::OkStatus());
    ASSERT_EQ(reports.size(), 1u) << "seed " << seed;
    EXPECT_EQ(reports[0].find("stubborn one at "), 0u) << reports[0];
    EXPECT_NE(reports[0].find("stubborn:"), std::string::npos) << reports[0];
  }
}

Co<absl::Status> run_stubborn(absl::Duration grace, std::vector<std::string>* reports) {
  Loop::current().set_linger_handler([reports](const std::vector<TaskInfo>& tasks) {
    for (const TaskInfo& task : tasks) reports->push_back(task.name + " at " + task.where);
  });
  CancelScope scope(now() + absl::Seconds(1));
  scope.set_grace(grace);
  Outcome<void> outcome = co_await scope.run(stubborn());
  EXPECT_EQ(outcome.ok(), true);
  EXPECT_TRUE(scope.cancelled());
  co_return absl::OkStatus();
}

TEST(Grace, AScopeReportsABodyThatDoesNotStopInTime) {
  for (const auto& [grace, count] :
       {std::pair(absl::Seconds(2), 1u), std::pair(absl::Seconds(60), 0u)}) {
    std::vector<std::string> reports;
    SimLoop loop;
    EXPECT_EQ(loop.run(run_stubborn(grace, &reports)), absl::OkStatus());
    ASSERT_EQ(reports.size(), count);
    if (count == 1) {
      EXPECT_NE(reports[0].find("stubborn:"), std::string::npos) << reports[0];
    }
  }
}

}  // namespace
}  // namespace fermata

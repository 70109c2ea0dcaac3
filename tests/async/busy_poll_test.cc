// busy_poll(): a loop that expects something looks for it instead of sleeping, and for nothing
// else.
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/loops.h"

namespace fermata {
namespace {

constexpr std::int64_t kForeverNs = 3600 * std::int64_t{1'000'000'000};

std::int64_t clock_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

int usable_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  EXPECT_EQ(::sched_getaffinity(0, sizeof cpus, &cpus), 0);
  return CPU_COUNT(&cpus);
}

// While it lives, this thread and those that it starts have one CPU.
class OneCpu {
 public:
  OneCpu() {
    EXPECT_EQ(::sched_getaffinity(0, sizeof before_, &before_), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before_)) ++cpu;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    EXPECT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  }
  ~OneCpu() { EXPECT_EQ(::sched_setaffinity(0, sizeof before_, &before_), 0); }

 private:
  cpu_set_t before_;
};

struct Ends {
  Ends() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    EXPECT_EQ(::fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  }
  ~Ends() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  int fds[2];
};

// One byte there and back, `rounds` times, with somebody who answers from another thread.
Co<absl::Status> ask(int fd, int rounds, std::int64_t look_ns) {
  for (int i = 0; i < rounds; ++i) {
    char byte = 'q';
    EXPECT_EQ(::write(fd, &byte, 1), 1);
    Loop::current().busy_poll(look_ns);
    const absl::Status ready = co_await readable(fd);
    EXPECT_EQ(ready, absl::OkStatus());
    EXPECT_EQ(::read(fd, &byte, 1), 1);
  }
  co_return absl::OkStatus();
}

LoopStats stats_of_asking(KernelLoop& loop, int rounds, std::int64_t look_ns) {
  Ends ends;
  std::thread other([fd = ends.fds[1]] {
    char byte = 0;
    while (::read(fd, &byte, 1) == 1) EXPECT_EQ(::write(fd, &byte, 1), 1);
  });
  EXPECT_EQ(loop.run(ask, ends.fds[0], rounds, look_ns), absl::OkStatus());
  EXPECT_EQ(::shutdown(ends.fds[0], SHUT_RDWR), 0);
  other.join();
  return loop.stats();
}

using BusyPoll = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(BusyPoll);

TEST_P(BusyPoll, AnAnswerIsFoundWithoutSleeping) {
  const LoopStats stats = stats_of_asking(*make(), 100, kForeverNs);
  if (usable_cpus() == 1) {
    EXPECT_EQ(stats.busy_poll_ns, 0);
    return;
  }
  EXPECT_EQ(stats.wakeups, 0u);
  EXPECT_GT(stats.busy_poll_ns, 0);
  EXPECT_EQ(stats.busy_poll_ns, stats.idle_ns);
}

TEST_P(BusyPoll, NobodyLooksUnasked) {
  const LoopStats stats = stats_of_asking(*make(), 100, 0);
  EXPECT_GT(stats.wakeups, 0u);
  EXPECT_EQ(stats.busy_poll_ns, 0);
}

// Who is to answer needs the CPU.
TEST_P(BusyPoll, NotOnTheOnlyCpu) {
  const OneCpu one;
  const LoopStats stats = stats_of_asking(*make(), 100, kForeverNs);
  EXPECT_GT(stats.wakeups, 0u);
  EXPECT_EQ(stats.busy_poll_ns, 0);
}

Co<absl::Status> look_for(Event& event, std::int64_t look_ns) {
  Loop::current().busy_poll(look_ns);
  co_await event.wait();
  co_return absl::OkStatus();
}

TEST_P(BusyPoll, APostIsFoundAndItsThreadWritesNothing) {
  const std::unique_ptr<KernelLoop> loop = make();
  Event event;
  std::thread other([&] {
    while (loop->pulse() == 0) std::this_thread::yield();
    loop->post([&] { event.set(); });
  });
  EXPECT_EQ(loop->run(look_for, event, kForeverNs), absl::OkStatus());
  other.join();
  if (usable_cpus() > 1) {
    EXPECT_EQ(loop->stats().wake_writes, 0u);
  }
}

TEST_P(BusyPoll, TimersFireMeanwhile) {
  const std::unique_ptr<KernelLoop> loop = make();
  const absl::Status status = loop->run([]() -> Co<absl::Status> {
    Loop::current().busy_poll(kForeverNs);
    for (int i = 0; i < 20; ++i) co_await sleep(absl::Microseconds(100));
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(loop->stats().timers_fired, 20u);
  if (usable_cpus() > 1) {
    EXPECT_EQ(loop->stats().wakeups, 0u);
  }
}

TEST_P(BusyPoll, AfterwardsTheLoopSleeps) {
  constexpr std::int64_t kLookNs = 200'000;
  const std::unique_ptr<KernelLoop> loop = make();
  Event event;
  std::thread other([&] {
    while (!loop->asleep()) std::this_thread::yield();
    loop->post([&] { event.set(); });
  });
  EXPECT_EQ(loop->run(look_for, event, kLookNs), absl::OkStatus());
  other.join();
  EXPECT_GE(loop->stats().wakeups, 1u);
  if (usable_cpus() > 1) {
    EXPECT_GT(loop->stats().busy_poll_ns, 0);
  }
}

// What a callback arms or measures must not begin before the loop went to sleep.
TEST_P(BusyPoll, ACallbackOfADescriptorSeesTheTimeAfterTheSleep) {
  struct Watch : IoWatch {
    Watch(int fd, Event& event) noexcept
        : IoWatch(fd, Interest::kRead,
                  [](IoWatch& watch) noexcept {
                    static_cast<Watch&>(watch).seen_ns = Loop::current().now_ns();
                    static_cast<Watch&>(watch).event.set();
                  }),
          event(event) {}
    Event& event;
    std::int64_t seen_ns = 0;
  };
  const std::unique_ptr<KernelLoop> loop = make();
  Ends ends;
  std::int64_t written_ns = 0;
  std::thread other([&] {
    while (!loop->asleep()) std::this_thread::yield();
    written_ns = clock_ns();
    EXPECT_EQ(::write(ends.fds[1], "x", 1), 1);
  });
  Event event;
  Watch watch(ends.fds[0], event);
  const absl::Status status = loop->run(
      [](Watch& watch) -> Co<absl::Status> {
        EXPECT_EQ(Loop::current().watch(watch), 0);
        co_await watch.event.wait();
        co_return absl::OkStatus();
      },
      watch);
  other.join();
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_GE(watch.seen_ns, written_ns);
}

}  // namespace
}  // namespace fermata

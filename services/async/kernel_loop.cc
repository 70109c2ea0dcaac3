#include "services/async/kernel_loop.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"
#include "services/async/check.h"

namespace fermata {
namespace {

// The kernel and the clock are asked after this many steps, or when nothing is ready.
constexpr std::size_t kStepsPerPoll = 64;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

int usable_cpus() noexcept {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  return ::sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

}  // namespace

KernelLoop::KernelLoop(std::size_t offload_threads) : pool_(std::in_place, *this, offload_threads) {
  busy_since_ns_ = read_clock_ns();
  anchor_clock(absl::Now(), busy_since_ns_);
}

KernelLoop::~KernelLoop() {
  FERMATA_CHECK(!pool_.has_value(), "a loop's destructor must begin with stop_threads()");
}

void KernelLoop::stop_threads() noexcept {
  FERMATA_CHECK(table_.waiting() == 0 && watching_once_ == 0,
                "a loop was destroyed while a coroutine waited for a descriptor");
  pool_.reset();  // its threads may still be about to wake this loop
  drop_posted();
}

std::int64_t KernelLoop::read_clock_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kNsPerSecond + time.tv_nsec;
}

void KernelLoop::turn() noexcept {
  ++stats_.turns;
  if (thread_ != std::this_thread::get_id()) [[unlikely]] {
    thread_ = std::this_thread::get_id();
    alone_ = usable_cpus() == 1;
    enter_thread();
  }
  // Waiting comes first: after the steps, the caller must be able to see that its work is done.
  if (steps_since_poll_ >= kStepsPerPoll || idle()) poll();
  steps_since_poll_ += run_deliveries(kTurnDeliveries);
  if (kChecked) {
    shuffle_ready(kTurnSteps);
    steps_since_poll_ += run_ready(kTurnSteps);
  } else {
    // Turns that would not look at the kernel anyway need not be turns.
    steps_since_poll_ += run_batches(kStepsPerPoll);
  }
}

void KernelLoop::poll() noexcept {
  steps_since_poll_ = 0;
  run_posted();
  refresh_clock();
  stats_.busy_ns += now_ns() - busy_since_ns_;
  busy_since_ns_ = now_ns();
  fire_timers(kTurnTimers);
  if (!idle()) {
    if (table_.waiting() + watching_once_ != 0) poll_kernel(0);
    return;
  }
  if (next_deadline_ns() <= now_ns()) return;
  const std::int64_t before_ns = now_ns();
  const bool slept = !look_before_sleep() && sleep_in_kernel();
  stats_.wakeups += slept ? 1 : 0;
  stats_.idle_ns += now_ns() - before_ns;
  busy_since_ns_ = now_ns();
  run_posted();
  fire_timers(kTurnTimers);
}

// False: something was posted.
bool KernelLoop::sleep_in_kernel() noexcept {
  if (!posts_.fall_asleep()) return false;
  const std::int64_t deadline_ns = next_deadline_ns();
  poll_kernel(deadline_ns == TimerHeap::kNever ? -1 : deadline_ns - now_ns());
  return true;
}

// True: there is something to do. Otherwise no timer is due yet.
bool KernelLoop::look_before_sleep() noexcept {
  const std::int64_t before_ns = now_ns();
  bool found = false;
  while (!found && now_ns() < busy_poll_until_ns_) {
    poll_kernel(0);
    found = !idle() || posts_.maybe_posted();
    if (!found) ::sched_yield();
    refresh_clock();
    found = found || next_deadline_ns() <= now_ns();
  }
  stats_.busy_poll_ns += now_ns() - before_ns;
  return found;
}

void KernelLoop::busy_poll(std::int64_t ns) noexcept {
  if (!alone_) busy_poll_until_ns_ = std::max(busy_poll_until_ns_, now_ns() + ns);
}

void KernelLoop::add_own_stats(LoopStats& stats) const noexcept {
  stats.watched_fds = table_.waiting() + watching_once_;
  stats.wake_writes = wake_fd_.writes();
  if (pool_.has_value()) stats.offloads_here = pool_->inline_calls();
}

int KernelLoop::watch(IoWatch& watch) noexcept {
  if (watch.fd < 0) return EBADF;
  if (watch.mode == IoWatch::Mode::kOneShot) return watch_once(watch);
  if (table_.take_news(watch.fd, watch.interest)) return EALREADY;
  WatchTable::Entry& entry = table_.entry(watch.fd);
  const std::uint32_t wanted = WatchTable::mask(watch.interest);
  if (!entry.edge || (entry.armed & wanted) != wanted) [[unlikely]] {
    if (const int error = arm(watch.fd, entry, wanted); error != 0) return error;
  }
  table_.link(watch);
  return 0;
}

void KernelLoop::unwatch(IoWatch& watch) noexcept {
  if (watch.mode != IoWatch::Mode::kEdge) return unwatch_once(watch);
  table_.unlink(watch);
}

void KernelLoop::forget(int fd) noexcept {
  WatchTable::Entry* entry = table_.find(fd);
  if (entry == nullptr || !entry->edge) return;
  disarm(fd, *entry);
  table_.forget(fd);
}

void KernelLoop::clear_news(int fd, IoWatch::Interest interest) noexcept {
  table_.clear_news(fd, interest);
}

void KernelLoop::offload(OffloadJob& job) noexcept {
  ++stats_.offloads;
  pool_->submit(job);
}

bool KernelLoop::withdraw(OffloadJob& job) noexcept { return pool_->withdraw(job); }

}  // namespace fermata

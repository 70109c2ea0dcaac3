#include "services/async/sim_loop.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/async/ps.h"
#include "services/async/splitmix.h"

namespace fermata {
namespace {

// How long a simulation waits, really, for a descriptor when nothing else can happen.
constexpr int kDescriptorWaitMs = 5000;
constexpr std::uint64_t kMaxOffloadDelayNs = 2'000'000;

}  // namespace

// An offloaded call: begins after one drawn delay, is answered after another.
struct SimLoop::Call : Timer {
  Call(SimLoop& loop, OffloadJob& job) noexcept : Timer(&Call::due), loop(&loop), job(&job) {}
  static void due(Timer& timer) noexcept {
    Call& call = static_cast<Call&>(timer);
    SimLoop& loop = *call.loop;
    OffloadJob& job = *call.job;
    if (!call.begun) {
      call.begun = true;
      job.work(job);
      loop.timers().arm(call,
                        loop.now_ns() + static_cast<std::int64_t>(loop.random(kMaxOffloadDelayNs)));
      return;
    }
    loop.calls_.remove_if([&call](const Call& other) { return &other == &call; });
    job.run(job);
  }
  SimLoop* loop;
  OffloadJob* job;
  bool begun = false;
};

SimLoop::SimLoop(std::uint64_t seed, SimOptions options)
    : seed_(seed),
      options_(seed == 0 ? SimOptions{} : options),
      random_state_(seed),
      buggifier_(seed, options_.buggify_places_percent, options_.buggify_fires_percent) {
  // A fixed date, so that nothing in a simulation depends on today.
  anchor_clock(absl::FromUnixSeconds(1'700'000'000), 0);
}

SimLoop::~SimLoop() {
  FERMATA_CHECK(calls_.empty(), "a loop was destroyed while offloaded calls were running");
}

std::uint64_t SimLoop::random(std::uint64_t below) noexcept {
  const std::uint64_t drawn = detail::splitmix64(random_state_);
  return below == 0 ? 0 : drawn % below;
}

void SimLoop::turn() noexcept {
  ++stats_.turns;
  if (options_.buggify_places_percent != 0) detail::Buggifier::current = &buggifier_;
  if (hook_ != nullptr && stats_.turns > hook_turn_) std::exchange(hook_, nullptr)();
  run_posted();
  if (idle()) {
    wait();
  } else if (seed_ != 0) {
    let_time_pass();
  }
  run_deliveries();
  if (ring_.empty()) return;
  if (seed_ == 0) {
    run_ready(1);
    return;
  }
  shuffle();
  run_ready(1 + random(ring_.size()));
}

void SimLoop::shuffle() noexcept {
  for (std::size_t i = ring_.size() - 1; i > 0; --i) ring_.swap(i, random(i + 1));
}

// Nothing is ready: looks at the descriptors, or else lets time pass.
void SimLoop::wait() noexcept {
  refresh_clock();
  if (poll_descriptors(0)) return;
  if (next_deadline_ns() != TimerHeap::kNever) {
    virtual_ns_ = std::max(virtual_ns_, next_deadline_ns() + lateness_ns());
    refresh_clock();
    fire_timers();
    return;
  }
  if (poll_descriptors(kDescriptorWaitMs)) return;
  give_up();
}

// Something is ready, but what is due need not wait for it.
void SimLoop::let_time_pass() noexcept {
  const std::int64_t limit_ns = absl::ToInt64Nanoseconds(options_.turn_time);
  if (limit_ns > 0) {
    virtual_ns_ += static_cast<std::int64_t>(random(static_cast<std::uint64_t>(limit_ns)));
    refresh_clock();
  }
  fire_timers();
}

std::int64_t SimLoop::lateness_ns() noexcept {
  constexpr std::int64_t kFarAway = TimerHeap::kNever / 2;
  if (options_.late_percent == 0 || next_deadline_ns() > kFarAway) return 0;
  if (random(100) >= static_cast<std::uint64_t>(options_.late_percent)) return 0;
  constexpr std::uint64_t kMagnitudes = 32;
  const auto latest_ns = static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(options_.latest));
  return static_cast<std::int64_t>(random(latest_ns >> random(kMagnitudes)));
}

void SimLoop::give_up() noexcept {
  FERMATA_CHECK(deadlock_.ok(), "the tasks of a deadlock cannot be cancelled: a shield never ends");
  deadlock_ = absl::InternalError(
      absl::StrCat("deadlock: nothing can ever happen again, and these wait:\n", pstree(*this)));
  root().cancel(CancelReason::kShutdown);
}

absl::Status SimLoop::finish(absl::Status status) {
  detail::Buggifier::current = nullptr;
  if (deadlock_.ok()) return status;
  return std::exchange(deadlock_, absl::OkStatus());
}

bool SimLoop::poll_descriptors(int wait_ms) noexcept {
  if (watches_.empty()) return false;
  std::vector<pollfd> polled;
  for (const IoWatch* watch : watches_) {
    const short events = watch->interest == IoWatch::Interest::kRead ? POLLIN : POLLOUT;
    polled.push_back(pollfd{watch->fd, events, 0});
  }
  if (poll(polled.data(), polled.size(), wait_ms) <= 0) return false;
  std::vector<IoWatch*> fired;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    if ((polled[i].revents & POLLNVAL) != 0) watches_[i]->error = EBADF;
    fired.push_back(watches_[i]);
  }
  for (IoWatch* watch : fired) {
    unwatch(*watch);
    watch->fired(*watch);
  }
  return true;
}

int SimLoop::watch(IoWatch& watch) noexcept {
  if (fcntl(watch.fd, F_GETFD) < 0) return EBADF;
  watches_.push_back(&watch);
  return 0;
}

void SimLoop::unwatch(IoWatch& watch) noexcept {
  watches_.erase(std::find(watches_.begin(), watches_.end(), &watch));
}

void SimLoop::forget(int fd) noexcept {
  for (;;) {
    const auto waits = std::find_if(watches_.begin(), watches_.end(),
                                    [fd](const IoWatch* watch) { return watch->fd == fd; });
    if (waits == watches_.end()) return;
    IoWatch* watch = *waits;
    watches_.erase(waits);
    watch->error = EBADF;
    watch->fired(*watch);
  }
}

void SimLoop::offload(OffloadJob& job) noexcept {
  ++stats_.offloads;
  Call& call = calls_.emplace_back(*this, job);
  timers().arm(call, now_ns() + static_cast<std::int64_t>(random(kMaxOffloadDelayNs)));
}

bool SimLoop::withdraw(OffloadJob& job) noexcept {
  const auto call = std::find_if(calls_.begin(), calls_.end(),
                                 [&job](const Call& other) { return other.job == &job; });
  if (call->begun) return false;
  calls_.erase(call);
  return true;
}

}  // namespace fermata

#include "services/async/epoll_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"
#include "services/async/check.h"

namespace fermata {
namespace {

constexpr int kEventsPerPoll = 128;
// The kernel and the clock are asked after this many steps, or when nothing is ready.
constexpr std::size_t kStepsPerPoll = 64;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::uint32_t interest_mask(const IoWatch& watch) noexcept {
  return watch.interest == IoWatch::Interest::kRead ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
}

}  // namespace

EpollLoop::EpollLoop(std::size_t offload_threads)
    : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      pool_(std::in_place, *this, offload_threads) {
  FERMATA_CHECK(epoll_fd_ >= 0, "epoll_create1 failed: too many open files?");
  FERMATA_CHECK(event_fd_ >= 0, "eventfd failed: too many open files?");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = event_fd_;
  const int error = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event);
  FERMATA_CHECK(error == 0, "epoll does not take an eventfd");
  busy_since_ns_ = read_clock_ns();
  anchor_clock(absl::Now(), busy_since_ns_);
}

EpollLoop::~EpollLoop() {
  FERMATA_CHECK(watching_ == 0, "a loop was destroyed while a coroutine waited for a descriptor");
  pool_.reset();  // its threads may still be about to wake this loop
  drop_posted();
  close(event_fd_);
  close(epoll_fd_);
}

std::int64_t EpollLoop::read_clock_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kNsPerSecond + time.tv_nsec;
}

void EpollLoop::turn() noexcept {
  ++stats_.turns;
  // Waiting comes first: after the steps, the caller must be able to see that its work is done.
  if (steps_since_poll_ >= kStepsPerPoll || idle()) poll();
  run_deliveries();
  steps_since_poll_ += run_ready(kTurnSteps);
}

void EpollLoop::poll() noexcept {
  steps_since_poll_ = 0;
  run_posted();
  refresh_clock();
  stats_.busy_ns += now_ns() - busy_since_ns_;
  busy_since_ns_ = now_ns();
  fire_timers();
  if (!idle()) {
    if (watching_ != 0) poll_kernel(0);
    return;
  }
  const std::int64_t deadline_ns = next_deadline_ns();
  const std::int64_t before_ns = now_ns();
  if (deadline_ns <= before_ns) return;
  if (!posts_.fall_asleep()) return;
  poll_kernel(deadline_ns == TimerHeap::kNever ? -1 : deadline_ns - before_ns);
  refresh_clock();
  stats_.idle_ns += now_ns() - before_ns;
  busy_since_ns_ = now_ns();
  ++stats_.wakeups;
  run_posted();
  fire_timers();
}

// Waits for at most `wait_ns`; negative: until something happens.
void EpollLoop::poll_kernel(std::int64_t wait_ns) noexcept {
  epoll_event events[kEventsPerPoll];
  int count = -1;
  if (has_pwait2_) {
    const timespec wait{wait_ns / kNsPerSecond, wait_ns % kNsPerSecond};
    count = epoll_pwait2(epoll_fd_, events, kEventsPerPoll, wait_ns < 0 ? nullptr : &wait, nullptr);
    if (count < 0 && errno == ENOSYS) has_pwait2_ = false;
  }
  if (!has_pwait2_) {
    constexpr std::int64_t kNsPerMs = 1'000'000;
    const std::int64_t wait_ms =
        std::min<std::int64_t>((wait_ns + kNsPerMs - 1) / kNsPerMs, 60'000);
    count =
        epoll_wait(epoll_fd_, events, kEventsPerPoll, wait_ns < 0 ? -1 : static_cast<int>(wait_ms));
  }
  FERMATA_CHECK(count >= 0 || errno == EINTR, "epoll_wait failed");
  for (int i = 0; i < count; ++i) dispatch(events[i]);
}

void EpollLoop::dispatch(const epoll_event& event) noexcept {
  const int fd = event.data.fd;
  if (fd == event_fd_) {
    std::uint64_t count = 0;
    (void)!read(event_fd_, &count, sizeof count);
    return;
  }
  watched_[static_cast<std::size_t>(fd)].armed = 0;  // one shot
  // A callback may watch and unwatch, this descriptor too: the search starts again after each, and
  // what was added meanwhile has its turn next time.
  const std::uint64_t newest = watches_made_;
  while (IoWatch* watch = take_ready(fd, event.events, newest)) watch->fired(*watch);
  Watched& watched = watched_[static_cast<std::size_t>(fd)];
  if (watched.watches != nullptr && watched.armed == 0) rearm(fd, watched);
}

IoWatch* EpollLoop::take_ready(int fd, std::uint32_t events, std::uint64_t newest) noexcept {
  IoWatch** link = &watched_[static_cast<std::size_t>(fd)].watches;
  for (; *link != nullptr; link = &(*link)->next) {
    IoWatch* watch = *link;
    if (watch->token > newest) continue;
    if ((events & (interest_mask(*watch) | EPOLLERR | EPOLLHUP)) == 0) continue;
    *link = watch->next;
    --watching_;
    return watch;
  }
  return nullptr;
}

// Tells epoll what is wanted of `fd` now. A descriptor that was closed, and perhaps opened again,
// since has left epoll by itself: whichever of MOD and ADD fails, the other is right.
int EpollLoop::rearm(int fd, Watched& watched) noexcept {
  epoll_event event{};
  event.events = EPOLLONESHOT;
  event.data.fd = fd;
  for (const IoWatch* watch = watched.watches; watch != nullptr; watch = watch->next) {
    event.events |= interest_mask(*watch);
  }
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) != 0) {
    if (errno != ENOENT) return errno;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return errno;
  }
  watched.armed = event.events;
  return 0;
}

int EpollLoop::watch(IoWatch& watch) noexcept {
  if (watch.fd < 0) return EBADF;
  const std::size_t index = static_cast<std::size_t>(watch.fd);
  if (index >= watched_.size()) watched_.resize(std::max(index + 1, 2 * watched_.size()));
  Watched& watched = watched_[index];
  watch.token = ++watches_made_;
  watch.next = watched.watches;
  watched.watches = &watch;
  const int error = rearm(watch.fd, watched);
  if (error != 0) {
    watched.watches = watch.next;
    return error;
  }
  ++watching_;
  return 0;
}

void EpollLoop::unwatch(IoWatch& watch) noexcept {
  Watched& watched = watched_[static_cast<std::size_t>(watch.fd)];
  IoWatch** link = &watched.watches;
  while (*link != &watch) link = &(*link)->next;
  *link = watch.next;
  --watching_;
  // epoll may still hold the interest: it fires at most once more, for nobody, and is one shot.
}

void EpollLoop::forget(int fd) noexcept {
  const std::size_t index = static_cast<std::size_t>(fd);
  if (index >= watched_.size()) return;
  while (IoWatch* watch = watched_[index].watches) {
    watched_[index].watches = watch->next;
    --watching_;
    watch->error = EBADF;
    watch->fired(*watch);
  }
}

void EpollLoop::offload(OffloadJob& job) noexcept {
  ++stats_.offloads;
  pool_->submit(job);
}

bool EpollLoop::withdraw(OffloadJob& job) noexcept { return pool_->withdraw(job); }

void EpollLoop::wake_from_sleep() noexcept {
  const std::uint64_t one = 1;
  (void)!write(event_fd_, &one, sizeof one);
}

}  // namespace fermata

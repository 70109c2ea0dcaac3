#include "services/async/epoll_loop.h"

#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "services/async/check.h"

namespace fermata {
namespace {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLRDHUP == POLLRDHUP &&
                  EPOLLHUP == POLLHUP && EPOLLERR == POLLERR,
              "the table of waits speaks of poll's events");

constexpr int kEventsPerPoll = 128;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// The number, and whose: an event of the owner before must not reach the one after.
std::uint64_t pack(int fd, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

}  // namespace

EpollLoop::EpollLoop(std::size_t offload_threads)
    : KernelLoop(offload_threads), epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  FERMATA_CHECK(epoll_fd_ >= 0, "epoll_create1 failed: too many open files?");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = pack(wake_fd_.fd(), 0);
  const int error = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_.fd(), &event);
  FERMATA_CHECK(error == 0, "epoll does not take an eventfd");
}

EpollLoop::~EpollLoop() {
  stop_threads();
  close(epoll_fd_);
}

void EpollLoop::poll_kernel(std::int64_t wait_ns) noexcept {
  epoll_event events[kEventsPerPoll];
  const int count = wait_for_events(events, wait_ns);
  if (wait_ns != 0) refresh_clock();
  for (int i = 0; i < count; ++i) dispatch(events[i]);
}

int EpollLoop::wait_for_events(epoll_event* events, std::int64_t wait_ns) noexcept {
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
  return count;
}

void EpollLoop::dispatch(const epoll_event& event) noexcept {
  const int fd = static_cast<int>(static_cast<std::uint32_t>(event.data.u64));
  if (fd == wake_fd_.fd()) return;
  WatchTable::Entry& entry = table_.entry(fd);
  if (entry.generation != event.data.u64 >> 32) return;
  if (entry.edge) return report(fd, event.events);
  entry.armed = 0;  // one shot
  table_.fire(fd, event.events);
  WatchTable::Entry& after = table_.entry(fd);
  if (after.watches != nullptr && !after.edge && after.armed == 0) rearm_once(fd, after);
}

int EpollLoop::tell(int fd, WatchTable::Entry& entry, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = pack(fd, entry.generation);
  const bool told = std::exchange(entry.told, true);
  if (epoll_ctl(epoll_fd_, told ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0) return 0;
  if (errno != (told ? ENOENT : EEXIST)) return errno;
  return epoll_ctl(epoll_fd_, told ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : errno;
}

// Changing what is asked of a descriptor makes epoll look at it again: no edge is lost.
int EpollLoop::arm(int fd, WatchTable::Entry& entry, std::uint32_t events) noexcept {
  std::uint32_t armed = events;
  if (entry.edge) armed |= entry.armed;
  for (const IoWatch* watch = entry.watches; watch != nullptr; watch = watch->next) {
    armed |= WatchTable::mask(watch->interest);
  }
  if (const int error = tell(fd, entry, armed | EPOLLET); error != 0) return error;
  entry.edge = true;
  entry.armed = armed;
  return 0;
}

void EpollLoop::disarm(int fd, WatchTable::Entry&) noexcept {
  // Closing would do, unless somebody holds a copy: then events would go on coming.
  (void)epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

int EpollLoop::rearm_once(int fd, WatchTable::Entry& entry) noexcept {
  std::uint32_t events = EPOLLONESHOT;
  for (const IoWatch* watch = entry.watches; watch != nullptr; watch = watch->next) {
    events |= WatchTable::mask(watch->interest);
  }
  if (const int error = tell(fd, entry, events); error != 0) return error;
  entry.armed = events;
  return 0;
}

int EpollLoop::watch_once(IoWatch& watch) noexcept {
  table_.link(watch);
  WatchTable::Entry& entry = table_.entry(watch.fd);
  const int error = entry.edge ? arm(watch.fd, entry, WatchTable::mask(watch.interest))
                               : rearm_once(watch.fd, entry);
  if (error != 0) table_.unlink(watch);
  return error;
}

void EpollLoop::unwatch_once(IoWatch& watch) noexcept {
  // epoll may still hold the interest: it fires at most once more, for nobody, and is one shot.
  table_.unlink(watch);
}

}  // namespace fermata

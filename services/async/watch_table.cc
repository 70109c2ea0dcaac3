#include "services/async/watch_table.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "services/async/check.h"

namespace fermata {
namespace {

constexpr std::uint32_t kAnyEnd = POLLERR | POLLHUP;

std::uint32_t end_mask(IoWatch::Interest interest) noexcept {
  return interest == IoWatch::Interest::kRead ? kAnyEnd | POLLRDHUP : kAnyEnd;
}

std::uint32_t data_mask(IoWatch::Interest interest) noexcept {
  return interest == IoWatch::Interest::kRead ? POLLIN : POLLOUT;
}

bool still_so(int fd, std::uint32_t events) noexcept {
  pollfd polled{fd, static_cast<short>(events), 0};
  return poll(&polled, 1, 0) != 0;
}

}  // namespace

std::uint32_t WatchTable::mask(IoWatch::Interest interest) noexcept {
  return interest == IoWatch::Interest::kRead ? POLLIN | POLLRDHUP : POLLOUT;
}

WatchTable::Entry& WatchTable::entry(int fd) {
  const std::size_t index = static_cast<std::size_t>(fd);
  if (index >= entries_.size()) entries_.resize(std::max(index + 1, 2 * entries_.size()));
  return entries_[index];
}

void WatchTable::link(IoWatch& watch) noexcept {
  Entry& entry = this->entry(watch.fd);
  watch.token = ++links_made_;
  watch.next = entry.watches;
  entry.watches = &watch;
  ++waiting_;
}

void WatchTable::unlink(IoWatch& watch) noexcept {
  IoWatch** link = &entry(watch.fd).watches;
  while (*link != &watch) link = &(*link)->next;
  *link = watch.next;
  --waiting_;
}

bool WatchTable::take_news(int fd, IoWatch::Interest interest) noexcept {
  Entry* entry = find(fd);
  if (entry == nullptr || entry->news == 0) [[likely]]
    return false;
  if ((entry->news & data_mask(interest)) != 0) {
    entry->news &= ~data_mask(interest);
    return true;
  }
  const std::uint32_t end = end_mask(interest);
  if ((entry->news & end) == 0) return false;
  if (still_so(fd, mask(interest))) return true;
  entry->news &= ~end;
  return false;
}

void WatchTable::clear_news(int fd, IoWatch::Interest interest) noexcept {
  if (Entry* entry = find(fd)) entry->news &= ~data_mask(interest);
}

IoWatch* WatchTable::take(int fd, std::uint32_t events, std::uint64_t newest) noexcept {
  IoWatch** link = &entry(fd).watches;
  for (; *link != nullptr; link = &(*link)->next) {
    IoWatch* watch = *link;
    if (watch->token > newest) continue;
    if ((events & (mask(watch->interest) | kAnyEnd)) == 0) continue;
    *link = watch->next;
    --waiting_;
    return watch;
  }
  return nullptr;
}

void WatchTable::fire(int fd, std::uint32_t events, int error) noexcept {
  // A callback may wait and leave, for this descriptor too: the search starts again after each.
  const std::uint64_t newest = links_made_;
  while (IoWatch* watch = take(fd, events, newest)) {
    watch->error = error;
    watch->fired(*watch);
  }
}

void WatchTable::reset(Entry& entry) noexcept {
  entry.edge = false;
  entry.told = false;
  entry.armed = 0;
  entry.news = 0;
  ++entry.generation;
}

void WatchTable::forget_all() noexcept {
  FERMATA_CHECK(waiting_ == 0, "a loop moved to another thread while somebody waited");
  for (Entry& entry : entries_) {
    if (entry.edge) reset(entry);
  }
}

void WatchTable::forget(int fd) noexcept {
  reset(entry(fd));
  fire(fd, POLLIN | POLLOUT, EBADF);
}

}  // namespace fermata

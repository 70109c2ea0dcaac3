// WatchTable: who waits for which descriptor, and the news that came while nobody did.
//
// One entry per descriptor number. A wait (IoWatch) is linked into its entry until the loop fires
// it or its frame takes it out. What an entry remembers of a Descriptor's readiness (`news`):
//
//   POLLIN, POLLOUT            since the last try of the call they are for; the try answers them
//   POLLRDHUP, POLLHUP, POLLERR for ever: a stream ends once. But a socket that was not connected
//                              yet also says POLLHUP, so a wait that finds nothing else asks poll()
//
// The generation changes when the owner of a number says that it will close it: what the kernel
// still reports of the one before is told apart by it. Loop thread only.
#ifndef SERVICES_ASYNC_WATCH_TABLE_H_
#define SERVICES_ASYNC_WATCH_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/async/loop.h"

namespace fermata {

class WatchTable {
 public:
  struct Entry {
    IoWatch* watches = nullptr;
    std::uint32_t news = 0;
    std::uint32_t generation = 0;
    std::uint32_t armed = 0;  // what the kernel was told to report; the loop's own
    bool edge = false;        // a Descriptor's, known to the kernel until it is forgotten
    bool told = false;        // the kernel knows the number, unless its owner closed it since
  };

  // The poll(2) events that a wait of this kind is for, without those that end every wait.
  static std::uint32_t mask(IoWatch::Interest interest) noexcept;

  // Invalidates what it returned before.
  Entry& entry(int fd);
  // Null: nobody ever waited for this number.
  Entry* find(int fd) noexcept {
    const std::size_t index = static_cast<std::size_t>(fd);
    return index < entries_.size() ? &entries_[index] : nullptr;
  }

  void link(IoWatch& watch) noexcept;
  void unlink(IoWatch& watch) noexcept;
  // True, and answered: the call is worth a try. (An end stays.)
  bool take_news(int fd, IoWatch::Interest interest) noexcept;
  void clear_news(int fd, IoWatch::Interest interest) noexcept;
  // Fires whom `events` are for. They may wait again at once, for this descriptor too: that has its
  // turn with the next events.
  void fire(int fd, std::uint32_t events, int error = 0) noexcept;
  // What forget() of a loop does to the table; fires everybody with EBADF.
  void forget(int fd) noexcept;
  // The same for every Descriptor, when nobody waits.
  void forget_all() noexcept;

  std::size_t waiting() const noexcept { return waiting_; }

 private:
  static void reset(Entry& entry) noexcept;
  IoWatch* take(int fd, std::uint32_t events, std::uint64_t newest) noexcept;

  std::vector<Entry> entries_;  // by descriptor
  std::size_t waiting_ = 0;
  std::uint64_t links_made_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_WATCH_TABLE_H_

// WakeFd: the eventfd that other threads wake a sleeping loop with, and a count of the writes.
//
// Nobody ever reads it: it is watched for edges, and every write is one. Its counter would overflow
// after 2^64 writes. The count of writes is what tests hold against the count of sleeps: relaxed,
// since it orders nothing. Made and closed by the loop; write() on any thread.
#ifndef SERVICES_ASYNC_WAKE_FD_H_
#define SERVICES_ASYNC_WAKE_FD_H_

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "services/async/check.h"

namespace fermata {

class WakeFd {
 public:
  WakeFd() noexcept : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    FERMATA_CHECK(fd_ >= 0, "eventfd failed: too many open files?");
  }
  WakeFd(const WakeFd&) = delete;
  ~WakeFd() { close(fd_); }

  int fd() const noexcept { return fd_; }
  void write() noexcept {
    writes_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t one = 1;
    (void)!::write(fd_, &one, sizeof one);
  }
  std::uint64_t writes() const noexcept { return writes_.load(std::memory_order_relaxed); }

 private:
  const int fd_;
  std::atomic<std::uint64_t> writes_{0};
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_WAKE_FD_H_

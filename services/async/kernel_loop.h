// KernelLoop: what the loops that wait in the kernel have in common. EpollLoop and UringLoop differ
// in how they tell it what to wait for, and in how they wait; the rest is here: the turn, the
// monotonic clock, waking from other threads, the pool of threads for offload(), the table of
// waits.
//
// May be made on any thread; runs on the one that calls run(). Other threads may call post().
#ifndef SERVICES_ASYNC_KERNEL_LOOP_H_
#define SERVICES_ASYNC_KERNEL_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>

#include "services/async/main_loop.h"
#include "services/async/offload_pool.h"
#include "services/async/wake_fd.h"
#include "services/async/watch_table.h"

namespace fermata {

class KernelLoop : public MainLoop {
 public:
  static constexpr std::size_t kOffloadThreads = 4;

  ~KernelLoop() override;

  int watch(IoWatch& watch) noexcept final;
  void unwatch(IoWatch& watch) noexcept final;
  void forget(int fd) noexcept final;
  void clear_news(int fd, IoWatch::Interest interest) noexcept final;
  void busy_poll(std::int64_t ns) noexcept final;
  void offload(OffloadJob& job) noexcept final;
  bool withdraw(OffloadJob& job) noexcept final;

 protected:
  explicit KernelLoop(std::size_t offload_threads);
  // First thing in the destructor of a derived class: nobody may wake a loop that is half gone.
  void stop_threads() noexcept;

  // run() is on another thread than before, or for the first time. Nobody waits yet.
  virtual void enter_thread() noexcept {}
  // Waits for at most `wait_ns` (negative: until something happens; 0: only looks), reads the clock
  // if it has waited, and hands what the kernel reports to report() and the like.
  virtual void poll_kernel(std::int64_t wait_ns) noexcept = 0;
  // Makes the kernel report `events` of a Descriptor from now on, edge by edge. 0, or an errno.
  virtual int arm(int fd, WatchTable::Entry& entry, std::uint32_t events) noexcept = 0;
  // Undoes it: the descriptor is about to be closed, and must then really be gone.
  virtual void disarm(int fd, WatchTable::Entry& entry) noexcept = 0;
  virtual int watch_once(IoWatch& watch) noexcept = 0;
  virtual void unwatch_once(IoWatch& watch) noexcept = 0;

  // News of a Descriptor.
  void report(int fd, std::uint32_t events) noexcept {
    table_.entry(fd).news |= events;
    table_.fire(fd, events);
  }

  WatchTable table_;
  WakeFd wake_fd_;
  std::size_t watching_once_ = 0;  // waits that are not in the table; a derived class counts them

 private:
  void turn() noexcept final;
  void poll() noexcept;
  bool look_before_sleep() noexcept;
  bool sleep_in_kernel() noexcept;
  void add_own_stats(LoopStats& stats) const noexcept final;
  std::int64_t read_clock_ns() noexcept final;
  void wake_from_sleep() noexcept final { wake_fd_.write(); }

  std::thread::id thread_;
  std::int64_t busy_since_ns_ = 0;
  std::size_t steps_since_poll_ = 0;
  std::int64_t busy_poll_until_ns_ = 0;
  bool alone_ = false;  // on the only CPU: nobody can answer while this loop looks
  std::optional<OffloadPool> pool_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_KERNEL_LOOP_H_

// The threads that run offloaded calls for one loop.
//
// At most a fixed number of threads, started when first needed, and one queue under a mutex: a call
// that is worth a thread switch is worth a mutex. Jobs sit in the awaiting frames; a job is in the
// queue, or on a thread, or posted back, and the mutex decides between withdraw() and a thread that
// takes it. What the caller wrote before submit() is visible to the thread, and what the thread
// wrote to the loop: by the mutex on the way there, by PostQueue on the way back.
//
// A thread that cannot be made (limits of the process, of its container) is done without, and tried
// again at the next call that no thread is free for. When there is not a single one, the call runs
// on the loop's own thread, at once: it holds up the loop, but it is not lost. stats() counts that.
#ifndef SERVICES_ASYNC_OFFLOAD_POOL_H_
#define SERVICES_ASYNC_OFFLOAD_POOL_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "services/async/loop.h"

namespace fermata {

class OffloadPool {
 public:
  // Makes a thread that calls pool.serve(); throws std::system_error if it cannot.
  using MakeThread = std::thread (*)(OffloadPool& pool);
  static std::thread make_thread(OffloadPool& pool) {
    return std::thread([&pool] { pool.serve(); });
  }

  OffloadPool(Loop& loop, std::size_t threads, MakeThread make = &OffloadPool::make_thread);
  OffloadPool(const OffloadPool&) = delete;
  ~OffloadPool();  // lets running jobs end; none may be queued

  void submit(OffloadJob& job) noexcept;
  bool withdraw(OffloadJob& job) noexcept;
  // What a thread of the pool does until the pool goes.
  void serve() noexcept;
  // Calls that ran on the loop's thread.
  std::uint64_t inline_calls() const noexcept { return inline_calls_; }

 private:
  bool add_thread() noexcept;
  void enqueue(OffloadJob& job) noexcept;

  Loop& loop_;
  const std::size_t max_threads_;
  const MakeThread make_;
  std::uint64_t inline_calls_ = 0;
  std::mutex mutex_;
  std::condition_variable work_;
  OffloadJob* first_ = nullptr;
  OffloadJob* last_ = nullptr;
  std::size_t idle_ = 0;
  std::size_t queued_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_OFFLOAD_POOL_H_

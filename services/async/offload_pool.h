// The threads that run offloaded calls for one loop.
//
// A fixed number of threads, started when first needed, and one queue under a mutex: a call that is
// worth a thread switch is worth a mutex. Jobs sit in the awaiting frames; a job is in the queue,
// or on a thread, or posted back, and the mutex decides between withdraw() and a thread that takes
// it. What the caller wrote before submit() is visible to the thread, and what the thread wrote to
// the loop: by the mutex on the way there, by PostQueue on the way back.
#ifndef SERVICES_ASYNC_OFFLOAD_POOL_H_
#define SERVICES_ASYNC_OFFLOAD_POOL_H_

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "services/async/loop.h"

namespace fermata {

class OffloadPool {
 public:
  OffloadPool(Loop& loop, std::size_t threads);
  OffloadPool(const OffloadPool&) = delete;
  ~OffloadPool();  // lets running jobs end; none may be queued

  void submit(OffloadJob& job);
  bool withdraw(OffloadJob& job);

 private:
  void serve();

  Loop& loop_;
  const std::size_t max_threads_;
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

// The pool of threads that a KernelLoop hands offloaded calls to.
#ifndef SERVICES_ASYNC_OFFLOAD_POOL_H_
#define SERVICES_ASYNC_OFFLOAD_POOL_H_

#include <condition_variable>
#include <mutex>
#include <thread>

#include "services/async/basic_offload_pool.h"
#include "services/async/loop.h"

namespace fermata {

struct OffloadThreads {
  using Mutex = std::mutex;
  using Condition = std::condition_variable;
  using Thread = std::thread;
  using Home = Loop;
};

extern template class BasicOffloadPool<OffloadThreads>;
using OffloadPool = BasicOffloadPool<OffloadThreads>;

}  // namespace fermata

#endif  // SERVICES_ASYNC_OFFLOAD_POOL_H_

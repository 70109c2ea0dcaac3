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
//
// What threads are made of is a parameter, so that the tests can stop at each step and try every
// order; offload_pool.h has the real one.
#ifndef SERVICES_ASYNC_BASIC_OFFLOAD_POOL_H_
#define SERVICES_ASYNC_BASIC_OFFLOAD_POOL_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "services/async/check.h"
#include "services/async/loop.h"

namespace fermata {

// Threads names Mutex, Condition and Thread, and Home: what finished calls are posted back to.
template <class Threads>
class BasicOffloadPool {
  using Mutex = typename Threads::Mutex;
  using Thread = typename Threads::Thread;
  using Home = typename Threads::Home;

 public:
  // Makes a thread that calls pool.serve(); throws std::system_error if it cannot.
  using MakeThread = Thread (*)(BasicOffloadPool& pool);
  static Thread make_thread(BasicOffloadPool& pool) {
    return Thread([&pool] { pool.serve(); });
  }

  BasicOffloadPool(Home& home, std::size_t threads,
                   MakeThread make = &BasicOffloadPool::make_thread);
  BasicOffloadPool(const BasicOffloadPool&) = delete;
  ~BasicOffloadPool();  // lets running jobs end; none may be queued

  void submit(OffloadJob& job) noexcept;
  bool withdraw(OffloadJob& job) noexcept;
  // What a thread of the pool does until the pool goes.
  void serve() noexcept;
  // Calls that ran on the loop's thread.
  std::uint64_t inline_calls() const noexcept { return inline_calls_; }

 private:
  static constexpr std::uint64_t kQueued = 1;
  static constexpr std::uint64_t kTaken = 2;

  bool add_thread() noexcept;
  void enqueue(OffloadJob& job) noexcept;

  Home& home_;
  const std::size_t max_threads_;
  const MakeThread make_;
  std::uint64_t inline_calls_ = 0;
  Mutex mutex_;
  typename Threads::Condition work_;
  OffloadJob* first_ = nullptr;
  OffloadJob* last_ = nullptr;
  std::size_t idle_ = 0;
  std::size_t queued_ = 0;
  bool stopping_ = false;
  std::vector<Thread> threads_;
};

template <class Threads>
BasicOffloadPool<Threads>::BasicOffloadPool(Home& home, std::size_t threads, MakeThread make)
    : home_(home), max_threads_(threads), make_(make) {
  FERMATA_CHECK(threads > 0, "a loop needs at least one thread for offload()");
  threads_.reserve(threads);
}

template <class Threads>
BasicOffloadPool<Threads>::~BasicOffloadPool() {
  {
    const std::lock_guard<Mutex> lock(mutex_);
    FERMATA_CHECK(first_ == nullptr, "a loop was destroyed while offloaded calls were queued");
    stopping_ = true;
  }
  work_.notify_all();
  for (Thread& thread : threads_) thread.join();
}

template <class Threads>
bool BasicOffloadPool<Threads>::add_thread() noexcept {
  try {
    threads_.push_back(make_(*this));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

template <class Threads>
void BasicOffloadPool<Threads>::enqueue(OffloadJob& job) noexcept {
  job.token = kQueued;
  job.next = nullptr;
  job.previous = last_;
  if (last_ != nullptr) {
    last_->next = &job;
  } else {
    first_ = &job;
  }
  last_ = &job;
  ++queued_;
}

template <class Threads>
void BasicOffloadPool<Threads>::submit(OffloadJob& job) noexcept {
  {
    const std::lock_guard<Mutex> lock(mutex_);
    const bool wants_more = queued_ >= idle_ && threads_.size() < max_threads_;
    if ((wants_more && add_thread()) || !threads_.empty()) {
      enqueue(job);
      work_.notify_one();
      return;
    }
    job.token = kTaken;
    ++inline_calls_;
  }
  job.work(job);
  home_.post(job);
}

template <class Threads>
bool BasicOffloadPool<Threads>::withdraw(OffloadJob& job) noexcept {
  const std::lock_guard<Mutex> lock(mutex_);
  if (job.token != kQueued) return false;
  OffloadJob* next = static_cast<OffloadJob*>(job.next);
  if (job.previous != nullptr) {
    job.previous->next = next;
  } else {
    first_ = next;
  }
  (next != nullptr ? next->previous : last_) = job.previous;
  --queued_;
  return true;
}

template <class Threads>
void BasicOffloadPool<Threads>::serve() noexcept {
  std::unique_lock<Mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    work_.wait(lock, [this] { return first_ != nullptr || stopping_; });
    --idle_;
    if (first_ == nullptr) return;
    OffloadJob& job = *first_;
    first_ = static_cast<OffloadJob*>(job.next);
    (first_ != nullptr ? first_->previous : last_) = nullptr;
    --queued_;
    job.token = kTaken;
    lock.unlock();
    job.work(job);
    home_.post(job);  // the last touch: the frame may be gone before this returns
    lock.lock();
  }
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_BASIC_OFFLOAD_POOL_H_

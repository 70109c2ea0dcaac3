#include "services/async/offload_pool.h"

#include <utility>

#include "services/async/check.h"

namespace fermata {
namespace {

constexpr std::uint64_t kQueued = 1;
constexpr std::uint64_t kTaken = 2;

}  // namespace

OffloadPool::OffloadPool(Loop& loop, std::size_t threads) : loop_(loop), max_threads_(threads) {
  FERMATA_CHECK(threads > 0, "a loop needs at least one thread for offload()");
}

OffloadPool::~OffloadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    FERMATA_CHECK(first_ == nullptr, "a loop was destroyed while offloaded calls were queued");
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void OffloadPool::submit(OffloadJob& job) {
  const std::lock_guard<std::mutex> lock(mutex_);
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
  if (queued_ > idle_ && threads_.size() < max_threads_) {
    threads_.emplace_back([this] { serve(); });
  }
  work_.notify_one();
}

bool OffloadPool::withdraw(OffloadJob& job) {
  const std::lock_guard<std::mutex> lock(mutex_);
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

void OffloadPool::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
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
    loop_.post(job);  // the last touch: the frame may be gone before this returns
    lock.lock();
  }
}

}  // namespace fermata

#include "services/async/offload_pool.h"

#include <system_error>
#include <utility>

#include "services/async/check.h"

namespace fermata {
namespace {

constexpr std::uint64_t kQueued = 1;
constexpr std::uint64_t kTaken = 2;

}  // namespace

OffloadPool::OffloadPool(Loop& loop, std::size_t threads, MakeThread make)
    : loop_(loop), max_threads_(threads), make_(make) {
  FERMATA_CHECK(threads > 0, "a loop needs at least one thread for offload()");
  threads_.reserve(threads);
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

bool OffloadPool::add_thread() noexcept {
  try {
    threads_.push_back(make_(*this));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void OffloadPool::enqueue(OffloadJob& job) noexcept {
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

void OffloadPool::submit(OffloadJob& job) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
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
  loop_.post(job);
}

bool OffloadPool::withdraw(OffloadJob& job) noexcept {
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

void OffloadPool::serve() noexcept {
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

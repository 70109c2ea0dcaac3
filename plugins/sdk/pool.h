// Pool: connections of one stage instance, made when needed, kept for the next call, never more
// than so many.
//
//   Pool<Connection>::Lease lease = co_await Try(pool.acquire());
//   if (lease.get() == nullptr) lease.set(co_await …);        // none is idle: make one
//   …
//   lease.keep();                                             // it is in order: back to the pool
//
// A lease that goes without keep() destroys its connection: a call that was cancelled in the middle
// of an answer leaves nothing for the next one to stumble over. The most recently used is given
// first, so that those not needed grow old and are closed. Loop thread only; outlives its leases.
#ifndef PLUGINS_SDK_POOL_H_
#define PLUGINS_SDK_POOL_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugins/sdk/slots.h"
#include "services/async/async.h"

namespace fermata {

struct PoolOptions {
  std::string what;  // for messages: "redis connections"
  std::size_t size = 8;
  std::size_t waiting_max = 1000;
  absl::Duration idle_max = absl::Minutes(1);  // an older one is closed instead of being used
};

template <class T>
class Pool {
 public:
  explicit Pool(const PoolOptions& options)
      : idle_max_(options.idle_max), slots_(options.what, options.size, options.waiting_max) {}
  Pool(const Pool&) = delete;

  class [[nodiscard]] Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (keep_ && item_ != nullptr) pool_->idle_.push_back({std::move(item_), now()});
    }
    T* get() const noexcept { return item_.get(); }
    T* operator->() const noexcept { return item_.get(); }
    T& operator*() const noexcept { return *item_; }
    void set(std::unique_ptr<T> item) noexcept { item_ = std::move(item); }
    void drop() noexcept { item_.reset(); }
    void keep() noexcept { keep_ = true; }

   private:
    friend class Pool;
    Lease(Pool* pool, Semaphore::Permit slot) noexcept : pool_(pool), slot_(std::move(slot)) {}
    Pool* pool_;
    Semaphore::Permit slot_;  // given back last
    std::unique_ptr<T> item_;
    bool keep_ = false;
  };

  // Wakes with a lease, which holds an idle connection if there is one. ResourceExhausted at once
  // when too many wait already. On cancel: gives up its place. On shutdown: as cancelled.
  Co<absl::StatusOr<Lease>> acquire() {
    Semaphore::Permit slot = co_await Try(slots_.acquire());
    Lease lease(this, std::move(slot));
    const absl::Time oldest = now() - idle_max_;
    while (!idle_.empty() && idle_.front().since < oldest) idle_.pop_front();
    if (!idle_.empty()) {
      lease.set(std::move(idle_.back().item));
      idle_.pop_back();
    }
    co_return std::move(lease);
  }

  std::size_t in_use() const noexcept { return slots_.used(); }
  std::size_t idle() const noexcept { return idle_.size(); }

 private:
  struct Idle {
    std::unique_ptr<T> item;
    absl::Time since;
  };
  const absl::Duration idle_max_;
  Slots slots_;
  std::deque<Idle> idle_;  // oldest first; never more than there are slots
};

}  // namespace fermata

#endif  // PLUGINS_SDK_POOL_H_

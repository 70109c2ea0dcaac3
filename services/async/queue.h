// Queue<T>: a bounded queue between coroutines of one loop. asyncio.Queue with shutdown().
//
// First come, first served on both sides, and no item is ever lost or invented by a cancellation:
// an item goes straight into the frame of the getter that has waited longest, and a wake-up given
// is never taken back; a putter that is cancelled while it waits takes its item with it. Bounded on
// purpose: there is no default size.
//
// PriorityQueue<T> gives the smallest item first, equal ones in the order they were put.
#ifndef SERVICES_ASYNC_QUEUE_H_
#define SERVICES_ASYNC_QUEUE_H_

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/queue_store.h"
#include "services/async/scope.h"
#include "services/async/wait_list.h"

namespace fermata {

template <class T, class Store = detail::FifoStore<T>>
class Queue {
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "an item goes from frame to frame, and may not throw on its way: queue a pointer");

 public:
  explicit Queue(std::size_t max_size) : max_size_(max_size), store_(max_size) {
    FERMATA_CHECK(max_size > 0, "a queue needs room for at least one item");
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  class Put;
  class Get;
  class Join;

  // Wakes when there is room. Ok, or FailedPrecondition after shutdown. On cancel: the item is not
  // put. On shutdown(): FailedPrecondition at once.
  Put put(T item) { return Put(*this, std::move(item)); }
  // Wakes when there is an item. On cancel: no item is taken. On shutdown(): drains what is there,
  // and then gives nullopt.
  Get get() noexcept { return Get(*this); }

  // ResourceExhausted when full; then, and after shutdown, the item is left as it was.
  absl::Status put_nowait(T&& item) {
    if (try_put(item)) return absl::OkStatus();
    if (shut_down_) return shut_down_error();
    return absl::ResourceExhaustedError("the queue is full; wait with put(), or shed the item");
  }
  std::optional<T> get_nowait() {
    std::optional<T> item;
    try_get(item);
    return item;
  }

  // For each item got, once, when it has been dealt with; join() wakes when all have been.
  void task_done() {
    FERMATA_CHECK(!all_done(), "task_done() more often than items were put");
    ++done_;
    while (all_done() && !joiners_.empty()) joiners_.pop()->wake_up();
  }
  // On cancel: at once. On shutdown of the queue: what was put is still waited for.
  Join join() noexcept { return Join(*this); }

  // Ends the queue: puts fail, gets drain what is there and then give nullopt; or drops the items.
  void shutdown(bool drop_items = false) {
    shut_down_ = true;
    room_ = 0;
    while (drop_items && !store_.empty()) {
      (void)store_.pop();
      task_done();
    }
    while (Put* putter = putters_.pop()) putter->refuse();
    while (Get* getter = getters_.pop()) getter->wake_up();
  }
  bool is_shutdown() const noexcept { return shut_down_; }

  std::size_t size() const noexcept { return store_.size(); }
  std::size_t max_size() const noexcept { return max_size_; }
  bool empty() const noexcept { return store_.empty(); }
  bool full() const noexcept { return store_.size() >= max_size_; }

 private:
  [[gnu::cold]] static absl::Status shut_down_error() {
    return absl::FailedPreconditionError("the queue was shut down; stop putting");
  }

  // Takes the item and returns true, or leaves it and returns false.
  bool try_put(T& item) {
    if (store_.size() >= room_) [[unlikely]]
      return put_with_care(item);
    store_.push(std::move(item));
    return true;
  }
  bool try_get(std::optional<T>& item) {
    if (store_.empty()) return false;
    item.emplace(store_.pop());
    if (!putters_.empty()) [[unlikely]]
      admit_putter();
    return true;
  }
  // Out of line, so that what never waits is inlined into its coroutine.
  [[gnu::noinline]] bool put_with_care(T& item) {
    if (shut_down_ || full()) return false;
    if (Get* getter = getters_.pop()) {  // waiting getters mean that the store is empty
      ++handed_over_;
      getter->hand_over(std::move(item));
      return true;
    }
    store_.make_room();
    room_ = std::min(max_size_, store_.capacity());
    store_.push(std::move(item));
    return true;
  }
  [[gnu::noinline]] void admit_putter() { store_.push(putters_.pop()->accept()); }
  void wait_for_item(Get& getter) noexcept {
    room_ = 0;
    getters_.push_back(getter);
  }
  bool all_done() const noexcept { return store_.pushed() + handed_over_ == done_; }

  const std::size_t max_size_;
  Store store_;
  // A put that finds fewer items than this just adds its own. 0 when there may be more to do: a
  // getter waits, or did; the store must grow; the queue was shut down.
  std::size_t room_ = 0;
  bool shut_down_ = false;
  std::size_t handed_over_ = 0;  // items that never were in the store
  std::size_t done_ = 0;         // calls of task_done()
  WaitList<Get> getters_;
  WaitList<Put> putters_;
  WaitList<Join> joiners_;
};

template <class T, class Store>
class [[nodiscard]] Queue<T, Store>::Put final : public ListedWait {
 public:
  Put(Queue& queue, T item) : queue_(&queue), item_(std::move(item)) {}
  bool await_ready() {
    if (!Loop::spend_budget()) return false;
    if (queue_->try_put(item_)) [[likely]]
      return true;
    refused_ = queue_->shut_down_;
    return refused_;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame, std::uint32_t line = __builtin_LINE()) {
    frame.promise().line = line;
    if (!park(detail::untyped(frame))) return;
    if (queue_->shut_down_) return refuse();
    if (queue_->try_put(item_)) return wake_given();  // out of budget, not out of room
    queue_->putters_.push_back(*this);
  }
  absl::Status await_resume() const { return refused_ ? shut_down_error() : absl::OkStatus(); }

 private:
  friend class Queue;
  T accept() {
    wake_given();
    return std::move(item_);
  }
  void refuse() {
    refused_ = true;
    wake();
  }

  Queue* queue_;
  bool refused_ = false;
  T item_;
};

template <class T, class Store>
class [[nodiscard]] Queue<T, Store>::Get final : public ListedWait {
 public:
  explicit Get(Queue& queue) noexcept : queue_(&queue) {}
  bool await_ready() {
    if (!Loop::spend_budget()) return false;
    return queue_->try_get(item_) || queue_->shut_down_;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame, std::uint32_t line = __builtin_LINE()) {
    frame.promise().line = line;
    if (!park(detail::untyped(frame))) return;
    if (queue_->try_get(item_)) return wake_given();
    if (queue_->shut_down_) return wake();
    queue_->wait_for_item(*this);
  }
  std::optional<T> await_resume() { return std::move(item_); }

 private:
  friend class Queue;
  void hand_over(T&& item) {
    item_.emplace(std::move(item));
    wake_given();
  }
  void wake_up() { wake(); }

  Queue* queue_;
  std::optional<T> item_;
};

template <class T, class Store>
class [[nodiscard]] Queue<T, Store>::Join final : public ListedWait {
 public:
  explicit Join(Queue& queue) noexcept : queue_(&queue) {}
  bool await_ready() const noexcept { return queue_->all_done() && Loop::spend_budget(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    if (!park(detail::untyped(frame))) return;
    if (queue_->all_done()) return wake();
    queue_->joiners_.push_back(*this);
  }
  void await_resume() const noexcept {}

 private:
  friend class Queue;
  void wake_up() noexcept { wake(); }

  Queue* queue_;
};

template <class T, class Less = std::less<T>>
using PriorityQueue = Queue<T, detail::PriorityStore<T, Less>>;

}  // namespace fermata

#endif  // SERVICES_ASYNC_QUEUE_H_

// What a Queue keeps its items in: a growing ring, or a heap with a sequence for fair ties. Items
// are moved in and out, and moving them does not throw (Queue checks that).
#ifndef SERVICES_ASYNC_QUEUE_STORE_H_
#define SERVICES_ASYNC_QUEUE_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace fermata::detail {

// A ring that doubles. A deque costs twice the instructions of a put and get together.
template <class T>
class FifoStore {
 public:
  explicit FifoStore(std::size_t) : items_(std::allocator<T>().allocate(kFirstSlots)) {}
  FifoStore(const FifoStore&) = delete;
  ~FifoStore() {
    while (!empty()) (void)pop();
    std::allocator<T>().deallocate(items_, mask_ + 1);
  }
  bool empty() const noexcept { return head_ == tail_; }
  std::size_t size() const noexcept { return tail_ - head_; }
  void push(T&& item) {
    if (size() > mask_) [[unlikely]]
      grow();
    std::construct_at(items_ + (tail_++ & mask_), std::move(item));
  }
  T pop() noexcept {
    T* const slot = items_ + (head_++ & mask_);
    T item = std::move(*slot);
    std::destroy_at(slot);
    return item;
  }

 private:
  static constexpr std::size_t kFirstSlots = 8;  // a power of two
  [[gnu::noinline]] void grow() {
    const std::size_t count = size();
    const std::size_t larger = 2 * (mask_ + 1);
    T* const moved = std::allocator<T>().allocate(larger);
    for (std::size_t i = 0; i < count; ++i) std::construct_at(moved + i, pop());
    std::allocator<T>().deallocate(items_, mask_ + 1);
    items_ = moved;
    mask_ = larger - 1;
    head_ = 0;
    tail_ = count;
  }

  T* items_;
  std::size_t mask_ = kFirstSlots - 1;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

template <class T, class Less>
class PriorityStore {
 public:
  explicit PriorityStore(std::size_t) {}
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  void push(T&& item) {
    heap_.push_back(Entry(std::move(item), next_order_++));
    std::push_heap(heap_.begin(), heap_.end(), After());
  }
  T pop() {
    std::pop_heap(heap_.begin(), heap_.end(), After());
    T item = std::move(heap_.back().item);
    heap_.pop_back();
    return item;
  }

 private:
  struct Entry {
    Entry(T item, std::uint64_t order) : item(std::move(item)), order(order) {}
    T item;
    std::uint64_t order;
  };
  struct After {
    bool operator()(const Entry& a, const Entry& b) const {
      Less less;
      if (less(b.item, a.item)) return true;
      if (less(a.item, b.item)) return false;
      return a.order > b.order;
    }
  };
  std::vector<Entry> heap_;
  std::uint64_t next_order_ = 0;
};

}  // namespace fermata::detail

#endif  // SERVICES_ASYNC_QUEUE_STORE_H_

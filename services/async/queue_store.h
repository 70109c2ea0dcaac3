// What a Queue keeps its items in: a growing ring, or a heap with a sequence for fair ties. Items
// are moved in and out, and moving them does not throw (Queue checks that). push() needs
// size() < capacity(), which make_room() sees to; pushed() counts for ever.
#ifndef SERVICES_ASYNC_QUEUE_STORE_H_
#define SERVICES_ASYNC_QUEUE_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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
    std::allocator<T>().deallocate(items_, capacity());
  }
  bool empty() const noexcept { return head_ == tail_; }
  std::size_t size() const noexcept { return tail_ - head_; }
  std::size_t capacity() const noexcept { return mask_ + 1; }
  std::size_t pushed() const noexcept { return tail_; }
  void make_room() {
    if (size() == capacity()) grow();
  }
  void push(T&& item) noexcept { std::construct_at(items_ + (tail_++ & mask_), std::move(item)); }
  T pop() noexcept {
    T* const slot = items_ + (head_++ & mask_);
    T item = std::move(*slot);
    std::destroy_at(slot);
    return item;
  }

 private:
  static constexpr std::size_t kFirstSlots = 8;  // a power of two
  [[gnu::noinline]] void grow() {
    const std::size_t larger = 2 * capacity();
    T* const moved = std::allocator<T>().allocate(larger);
    const std::size_t first = head_;
    for (std::size_t i = first; i != tail_; ++i) {
      std::construct_at(moved + (i & (larger - 1)), pop());
    }
    std::allocator<T>().deallocate(items_, capacity());
    items_ = moved;
    mask_ = larger - 1;
    head_ = first;
  }

  T* items_;
  std::size_t mask_ = kFirstSlots - 1;
  std::size_t head_ = 0;  // both count for ever
  std::size_t tail_ = 0;
};

template <class T, class Less>
class PriorityStore {
 public:
  explicit PriorityStore(std::size_t) {}
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  std::size_t capacity() const noexcept { return std::numeric_limits<std::size_t>::max(); }
  std::size_t pushed() const noexcept { return next_order_; }
  void make_room() noexcept {}
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

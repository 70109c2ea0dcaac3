// What a Queue keeps its items in: a growing ring, or a heap with a sequence for fair ties.
#ifndef SERVICES_ASYNC_QUEUE_STORE_H_
#define SERVICES_ASYNC_QUEUE_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace fermata::detail {

template <class T>
class FifoStore {
 public:
  explicit FifoStore(std::size_t) {}
  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size(); }
  void push(T item) { items_.push_back(std::move(item)); }
  T pop() {
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::deque<T> items_;
};

template <class T, class Less>
class PriorityStore {
 public:
  explicit PriorityStore(std::size_t) {}
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  void push(T item) {
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

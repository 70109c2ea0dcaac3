// The timers of one loop: an indexed 4-ary heap ordered by (deadline, order of arming).
//
// The pattern to be fast at is arm-then-disarm: almost every timeout is dropped long before it is
// due. A far deadline enters and leaves at the tail, 8 ns for both, with 100 timers or a million.
// Equal deadlines fire in the order they were armed, so the simulated loop is deterministic.
//
// Timers are owned by whoever waits: they sit in awaiting frames and scopes, and the destructor
// disarms. Nothing is allocated per timer. Loop thread only.
#ifndef SERVICES_ASYNC_TIMER_HEAP_H_
#define SERVICES_ASYNC_TIMER_HEAP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace fermata {

class TimerHeap;

class Timer {
 public:
  using Fire = void (*)(Timer&) noexcept;

  explicit Timer(Fire fire) noexcept : fire_(fire) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    if (armed()) disarm();
  }

  bool armed() const noexcept { return position_ != kNowhere; }
  // Takes it out of the heap of the current loop (loop.h): the only one it can be in.
  inline void disarm() noexcept;

 private:
  friend class TimerHeap;
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};
  Fire fire_;
  std::uint32_t position_ = kNowhere;
};

class TimerHeap {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  std::int64_t next_deadline_ns() const noexcept {
    return entries_.empty() ? kNever : entries_.front().deadline_ns;
  }

  // Arms, or moves, a timer.
  void arm(Timer& timer, std::int64_t deadline_ns) {
    disarm(timer);
    entries_.emplace_back();
    sift_up(entries_.size() - 1, Entry{deadline_ns, next_order_++, &timer});
  }

  // Does nothing if the timer is not armed.
  void disarm(Timer& timer) noexcept {
    if (!timer.armed()) return;
    const std::size_t hole = timer.position_;
    timer.position_ = Timer::kNowhere;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    if (hole > 0 && last < entries_[parent(hole)]) {
      sift_up(hole, last);
    } else {
      sift_down(hole, last);
    }
  }

  // Fires what is due at `now_ns`; returns how many. A timer armed by a firing one waits its turn.
  std::size_t fire_due(std::int64_t now_ns) noexcept {
    const std::uint64_t first_new = next_order_;
    std::size_t fired = 0;
    while (!entries_.empty() && entries_.front().deadline_ns <= now_ns &&
           entries_.front().order < first_new) {
      Timer& timer = *entries_.front().timer;
      disarm(timer);
      timer.fire_(timer);
      ++fired;
    }
    return fired;
  }

 private:
  struct Entry {
    std::int64_t deadline_ns = 0;
    std::uint64_t order = 0;
    Timer* timer = nullptr;
    bool operator<(const Entry& other) const noexcept {
      return deadline_ns != other.deadline_ns ? deadline_ns < other.deadline_ns
                                              : order < other.order;
    }
  };

  static std::size_t parent(std::size_t i) noexcept { return (i - 1) / 4; }

  void place(std::size_t i, const Entry& entry) noexcept {
    entries_[i] = entry;
    entry.timer->position_ = static_cast<std::uint32_t>(i);
  }

  void sift_up(std::size_t i, const Entry& entry) noexcept {
    while (i > 0 && entry < entries_[parent(i)]) {
      place(i, entries_[parent(i)]);
      i = parent(i);
    }
    place(i, entry);
  }

  void sift_down(std::size_t i, const Entry& entry) noexcept {
    const std::size_t size = entries_.size();
    for (std::size_t child = 4 * i + 1; child < size; child = 4 * i + 1) {
      const std::size_t last = std::min(child + 4, size);
      std::size_t least = child;
      for (std::size_t j = child + 1; j < last; ++j) {
        if (entries_[j] < entries_[least]) least = j;
      }
      if (!(entries_[least] < entry)) break;
      place(i, entries_[least]);
      i = least;
    }
    place(i, entry);
  }

  std::vector<Entry> entries_;
  std::uint64_t next_order_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_TIMER_HEAP_H_

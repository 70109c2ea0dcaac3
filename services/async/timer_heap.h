// The timers of one loop, ordered by (deadline, order of arming).
//
// Two patterns must be fast. Almost every timeout is dropped long before it is due; and almost all
// of them are armed with one of a few durations, so their deadlines come in order. So there are a
// few lanes, rings in which each deadline is no earlier than the one before it: arming appends,
// dropping leaves a hole, both in a few instructions however many timers there are. A deadline that
// fits no lane goes into an indexed 4-ary heap, whose entries are 16 bytes: four children are one
// cache line.
//
// Equal deadlines fire in the order they were armed, so the simulated loop is deterministic.
//
// Timers are owned by whoever waits: they sit in awaiting frames and scopes, and the destructor
// disarms. Nothing is allocated per timer. Loop thread only.
#ifndef SERVICES_ASYNC_TIMER_HEAP_H_
#define SERVICES_ASYNC_TIMER_HEAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "services/async/timer_lane.h"

namespace fermata {

class TimerHeap {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  std::int64_t next_deadline_ns() const noexcept {
    std::int64_t next = heap_.empty() ? kNever : heap_.front().deadline_ns;
    for (const TimerLane& lane : lanes_) next = std::min(next, lane.next_deadline_ns());
    return next;
  }

  // Arms, or moves, a timer.
  void arm(Timer& timer, std::int64_t deadline_ns) {
    disarm(timer);
    ++size_;
    timer.order_ = next_order_++;
    const TimerEntry entry{deadline_ns, &timer};
    const std::size_t lane = lane_for(deadline_ns);
    if (lane != kLanes) {
      lanes_[lane].push(entry, static_cast<std::uint32_t>(lane + 1));
    } else {
      heap_.emplace_back();
      sift_up(heap_.size() - 1, entry);
    }
  }

  // Does nothing if the timer is not armed.
  void disarm(Timer& timer) noexcept {
    if (!timer.armed()) return;
    --size_;
    if (timer.place_ != 0) {
      lanes_[timer.place_ - 1].remove(timer);
    } else {
      remove_from_heap(timer);
    }
    timer.position_ = Timer::kNowhere;
  }

  // Fires what is due at `now_ns`, at most `max` timers; returns how many. A timer armed by a
  // firing one waits its turn.
  std::size_t fire_due(std::int64_t now_ns, std::size_t max = kAll) noexcept {
    const std::uint32_t first_new = next_order_;
    std::size_t fired = 0;
    while (fired < max) {
      const TimerEntry next = earliest();
      if (next.timer == nullptr || next.deadline_ns > now_ns) break;
      if (!older(next.timer->order_, first_new)) break;
      disarm(*next.timer);
      next.timer->fire_(*next.timer);
      ++fired;
    }
    return fired;
  }

 private:
  // Orders wrap: of two timers, the one armed within the last 2^31 armings is the newer.
  static bool older(std::uint32_t a, std::uint32_t b) noexcept {
    return static_cast<std::int32_t>(a - b) < 0;
  }
  static bool before(const TimerEntry& a, const TimerEntry& b) noexcept {
    if (a.deadline_ns != b.deadline_ns) return a.deadline_ns < b.deadline_ns;
    return older(a.timer->order_, b.timer->order_);
  }
  static std::size_t parent(std::size_t i) noexcept { return (i - 1) / 4; }

  // The lane that ends closest before `deadline_ns`, or an empty one; kLanes if there is none.
  std::size_t lane_for(std::int64_t deadline_ns) const noexcept {
    std::size_t best = kLanes;
    std::int64_t best_last = -1;
    for (std::size_t i = 0; i < kLanes; ++i) {
      const std::int64_t last = lanes_[i].last_deadline_ns();  // of an empty lane: 0
      if (last > deadline_ns || last <= best_last) continue;
      best = i;
      best_last = last;
    }
    return best;
  }

  TimerEntry earliest() const noexcept {
    TimerEntry first = heap_.empty() ? TimerEntry() : heap_.front();
    for (const TimerLane& lane : lanes_) {
      if (lane.empty()) continue;
      const TimerEntry front = lane.front();
      if (first.timer == nullptr || before(front, first)) first = front;
    }
    return first;
  }

  void remove_from_heap(Timer& timer) noexcept {
    const std::size_t hole = timer.position_;
    const TimerEntry last = heap_.back();
    heap_.pop_back();
    if (hole == heap_.size()) return;
    if (hole > 0 && before(last, heap_[parent(hole)])) {
      sift_up(hole, last);
    } else {
      sift_down(hole, last);
    }
  }

  void place(std::size_t i, const TimerEntry& entry) noexcept {
    heap_[i] = entry;
    entry.timer->position_ = static_cast<std::uint32_t>(i) & Timer::kNowhere;
    entry.timer->place_ = 0;
  }

  void sift_up(std::size_t i, const TimerEntry& entry) noexcept {
    while (i > 0 && before(entry, heap_[parent(i)])) {
      place(i, heap_[parent(i)]);
      i = parent(i);
    }
    place(i, entry);
  }

  void sift_down(std::size_t i, const TimerEntry& entry) noexcept {
    const std::size_t size = heap_.size();
    for (std::size_t child = 4 * i + 1; child < size; child = 4 * i + 1) {
      const std::size_t last = std::min(child + 4, size);
      std::size_t least = child;
      for (std::size_t j = child + 1; j < last; ++j) {
        if (before(heap_[j], heap_[least])) least = j;
      }
      if (!before(heap_[least], entry)) break;
      place(i, heap_[least]);
      i = least;
    }
    place(i, entry);
  }

  std::array<TimerLane, kLanes> lanes_;
  std::vector<TimerEntry> heap_;
  std::size_t size_ = 0;
  std::uint32_t next_order_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_TIMER_HEAP_H_

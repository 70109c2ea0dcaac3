// Timer, and a lane of timers whose deadlines come in order.
//
// A ring buffer with holes: append at the end, take away anywhere. Holes at either end are dropped
// at once, and when more than half of a lane is holes it is packed, so a lane costs at most two
// slots per timer, and every operation is constant, amortised.
#ifndef SERVICES_ASYNC_TIMER_LANE_H_
#define SERVICES_ASYNC_TIMER_LANE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace fermata {

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
  // Takes it out of the timers of the current loop (loop.h): the only ones it can be in.
  inline void disarm() noexcept;

 private:
  friend class TimerHeap;
  friend class TimerLane;
  static constexpr std::uint32_t kPositionBits = 29;
  static constexpr std::uint32_t kNowhere = (1u << kPositionBits) - 1;

  Fire fire_;
  std::uint32_t position_ : kPositionBits = kNowhere;  // slot of the lane, or index in the heap
  std::uint32_t place_ : 32 - kPositionBits = 0;       // 0: the heap; otherwise lane place_ - 1
  std::uint32_t order_ = 0;                            // of arming; wraps
};

struct TimerEntry {
  std::int64_t deadline_ns = 0;
  Timer* timer = nullptr;  // null: a hole
};

class TimerLane {
 public:
  bool empty() const noexcept { return head_ == tail_; }
  std::int64_t next_deadline_ns() const noexcept {
    return empty() ? std::numeric_limits<std::int64_t>::max() : front().deadline_ns;
  }
  // 0 when empty: everything fits.
  std::int64_t last_deadline_ns() const noexcept { return last_deadline_ns_; }
  // Requires !empty(); never a hole.
  const TimerEntry& front() const noexcept { return slots_[head_ & mask_]; }

  // Requires entry.deadline_ns >= last_deadline_ns().
  void push(const TimerEntry& entry, std::uint32_t place) {
    if (tail_ - head_ == slots_.size()) make_room();
    last_deadline_ns_ = entry.deadline_ns;
    entry.timer->place_ = place & 7;
    put(tail_++, entry);
    ++live_;
  }

  void remove(Timer& timer) noexcept {
    slots_[timer.position_].timer = nullptr;
    --live_;
    while (!empty() && slots_[head_ & mask_].timer == nullptr) ++head_;
    while (!empty() && slots_[(tail_ - 1) & mask_].timer == nullptr) --tail_;
    last_deadline_ns_ = empty() ? 0 : slots_[(tail_ - 1) & mask_].deadline_ns;
  }

 private:
  static constexpr std::size_t kFirstSlots = 64;  // a power of two

  void put(std::size_t at, const TimerEntry& entry) noexcept {
    slots_[at & mask_] = entry;
    entry.timer->position_ = static_cast<std::uint32_t>(at & mask_) & Timer::kNowhere;
  }

  // Packs the lane into twice the slots its timers need.
  void make_room() {
    std::size_t slots = kFirstSlots;
    while (slots < 2 * live_) slots *= 2;
    const std::vector<TimerEntry> old = std::exchange(slots_, std::vector<TimerEntry>(slots));
    const std::size_t old_mask = mask_;
    const std::size_t first = std::exchange(head_, 0);
    const std::size_t last = std::exchange(tail_, 0);
    mask_ = slots - 1;
    for (std::size_t i = first; i != last; ++i) {
      if (old[i & old_mask].timer != nullptr) put(tail_++, old[i & old_mask]);
    }
  }

  std::vector<TimerEntry> slots_;
  std::size_t mask_ = 0;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::size_t live_ = 0;
  std::int64_t last_deadline_ns_ = 0;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_TIMER_LANE_H_

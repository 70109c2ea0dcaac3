#include "services/async/ready_ring.h"

#include <algorithm>
#include <cstdlib>

#include "services/async/check.h"

namespace fermata {

// Zeroed: a prefetch looks at slots that were never written.
ReadyRing::Entry* ReadyRing::allocate(std::size_t slots) noexcept {
  void* memory = slots < kHugeSlots ? std::calloc(slots, sizeof(Entry))
                                    : detail::map_huge_pages(slots * sizeof(Entry));
  FERMATA_CHECK(memory != nullptr, "out of memory for the ring of ready tasks");
  return static_cast<Entry*>(memory);
}

void ReadyRing::release(Entry* memory, std::size_t slots) noexcept {
  if (slots < kHugeSlots) return std::free(memory);
  detail::unmap_huge_pages(memory, slots * sizeof(Entry));
}

void ReadyRing::grow() noexcept {
  const std::size_t twice = 2 * capacity();
  resize(twice <= kHeapSlots ? twice : std::max(twice, kHugeSlots));
}

void ReadyRing::resize(std::size_t slots) noexcept {
  const std::size_t count = size();
  Entry* const moved = allocate(slots);
  for (std::size_t i = 0; i < count; ++i) moved[i] = slots_[(head_ + i) & mask_];
  release(slots_, capacity());
  slots_ = moved;
  mask_ = slots - 1;
  head_ = 0;
  tail_ = count;
}

}  // namespace fermata

#include "services/async/frame_pool.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "services/async/check.h"
#include "services/async/huge_pages.h"

namespace fermata {
namespace {

constexpr std::size_t kGrain = 16;
constexpr std::size_t kClasses = 129;  // 1..128 grains; class 0 is unused
constexpr std::size_t kSlabBytes = 256 * 1024;
// A loop that needs more slabs than these gets huge ones (huge_pages.h).
constexpr std::size_t kHugeSlabBytes = detail::kHugePageBytes;
constexpr std::size_t kSmallSlabs = 2;

struct FreeBlock {
  FreeBlock* next;
};

// Plain data, so that reaching it costs one thread-pointer access and no initialisation check.
struct FramePool {
  FreeBlock* free_lists[kClasses] = {};
  std::int64_t allocated = 0;
  std::int64_t freed = 0;
  std::int64_t reserved_bytes = 0;
  char* next = nullptr;
  char* end = nullptr;
};
constinit thread_local FramePool local_pool;

// Touched only when a slab is added; its destructor is what ties slabs to the thread's life.
struct Slabs {
  ~Slabs() {
    // A block that outlives its thread is a leak somewhere else; keep its memory readable.
    if (local_pool.allocated != local_pool.freed) return;
    for (void* slab : small) std::free(slab);
    for (void* slab : huge) detail::unmap_huge_pages(slab, kHugeSlabBytes);
  }
  std::vector<void*> small;
  std::vector<void*> huge;
};
thread_local Slabs slabs;

void add_slab(FramePool& pool) noexcept {
  const bool huge = slabs.small.size() == kSmallSlabs;
  void* slab = huge ? detail::map_huge_pages(kHugeSlabBytes) : std::aligned_alloc(64, kSlabBytes);
  FERMATA_CHECK(slab != nullptr, "out of memory for coroutine frames");
  (huge ? slabs.huge : slabs.small).push_back(slab);
  pool.next = static_cast<char*>(slab);
  pool.end = pool.next + (huge ? kHugeSlabBytes : kSlabBytes);
  pool.reserved_bytes += pool.end - pool.next;
}

[[gnu::noinline, gnu::cold]] void* refill(FramePool& pool, std::size_t grains) noexcept {
  const std::size_t bytes = grains * kGrain;
  if (static_cast<std::size_t>(pool.end - pool.next) < bytes) add_slab(pool);
  return std::exchange(pool.next, pool.next + bytes);
}

// Out of line, so that the others need no stack frame.
[[gnu::noinline, gnu::cold]] void* allocate_large(std::size_t bytes) noexcept {
  void* block = std::malloc(bytes);
  FERMATA_CHECK(block != nullptr, "out of memory for a coroutine frame");
  return block;
}

}  // namespace

FramePoolStats frame_pool_stats() noexcept {
  const FramePool& pool = local_pool;
  return FramePoolStats{pool.allocated - pool.freed, pool.allocated, pool.reserved_bytes};
}

}  // namespace fermata

extern "C" {

[[gnu::noinline]] void* fermata_frame_alloc(std::size_t bytes) noexcept {
  fermata::FramePool& pool = fermata::local_pool;
  ++pool.allocated;
  const std::size_t grains = (bytes + fermata::kGrain - 1) / fermata::kGrain;
  if (grains >= fermata::kClasses) [[unlikely]]
    return fermata::allocate_large(bytes);
  fermata::FreeBlock* block = pool.free_lists[grains];
  if (block == nullptr) [[unlikely]]
    return fermata::refill(pool, grains);
  pool.free_lists[grains] = block->next;
  return block;
}

[[gnu::noinline]] void fermata_frame_free(void* memory, std::size_t bytes) noexcept {
  fermata::FramePool& pool = fermata::local_pool;
  ++pool.freed;
  const std::size_t grains = (bytes + fermata::kGrain - 1) / fermata::kGrain;
  if (grains >= fermata::kClasses) [[unlikely]] {
    std::free(memory);
    return;
  }
  auto* block = static_cast<fermata::FreeBlock*>(memory);
  block->next = pool.free_lists[grains];
  pool.free_lists[grains] = block;
}

}  // extern "C"

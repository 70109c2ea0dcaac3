#include "services/async/frame_pool.h"

#include <sys/mman.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "services/async/check.h"

namespace fermata {
namespace {

constexpr std::size_t kGrain = 16;
constexpr std::size_t kClasses = 129;  // 1..128 grains; class 0 is unused
constexpr std::size_t kSlabBytes = 256 * 1024;
// A loop that needs many slabs gets them as huge pages, where the kernel grants them: far fewer
// page faults, and a hop among 100,000 tasks no longer misses the TLB.
constexpr std::size_t kHugeSlabBytes = 2 * 1024 * 1024;
constexpr std::size_t kSmallSlabs = 8;

struct FreeBlock {
  FreeBlock* next;
};

// Plain data, so that reaching it costs one thread-pointer access and no initialisation check.
struct FramePool {
  FreeBlock* free_lists[kClasses] = {};
  FramePoolStats stats;
  char* next = nullptr;
  char* end = nullptr;
};
constinit thread_local FramePool local_pool;

// Touched only when a slab is added; its destructor is what ties slabs to the thread's life.
struct Slabs {
  ~Slabs() {
    // A block that outlives its thread is a leak somewhere else; keep its memory readable.
    if (local_pool.stats.live != 0) return;
    for (void* slab : small) std::free(slab);
    for (void* slab : huge) munmap(slab, kHugeSlabBytes);
  }
  std::vector<void*> small;
  std::vector<void*> huge;
};
thread_local Slabs slabs;

// A mapping of its own, aligned to its size: the heap would keep it after munmap, and split it.
void* map_huge_slab() noexcept {
  void* mapped = mmap(nullptr, 2 * kHugeSlabBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(mapped);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % kHugeSlabBytes;
  if (before != 0) munmap(begin, before);
  munmap(begin + before + kHugeSlabBytes, kHugeSlabBytes - before);
  madvise(begin + before, kHugeSlabBytes, MADV_HUGEPAGE);  // a hint: a refusal changes nothing
  return begin + before;
}

void add_slab(FramePool& pool) noexcept {
  const bool huge = slabs.small.size() == kSmallSlabs;
  void* slab = huge ? map_huge_slab() : std::aligned_alloc(64, kSlabBytes);
  FERMATA_CHECK(slab != nullptr, "out of memory for coroutine frames");
  (huge ? slabs.huge : slabs.small).push_back(slab);
  pool.next = static_cast<char*>(slab);
  pool.end = pool.next + (huge ? kHugeSlabBytes : kSlabBytes);
  pool.stats.reserved_bytes += pool.end - pool.next;
}

[[gnu::noinline, gnu::cold]] void* refill(FramePool& pool, std::size_t grains) noexcept {
  const std::size_t bytes = grains * kGrain;
  if (static_cast<std::size_t>(pool.end - pool.next) < bytes) add_slab(pool);
  return std::exchange(pool.next, pool.next + bytes);
}

}  // namespace

FramePoolStats frame_pool_stats() noexcept { return local_pool.stats; }

}  // namespace fermata

extern "C" {

[[gnu::noinline]] void* fermata_frame_alloc(std::size_t bytes) noexcept {
  fermata::FramePool& pool = fermata::local_pool;
  ++pool.stats.live;
  ++pool.stats.allocated;
  const std::size_t grains = (bytes + fermata::kGrain - 1) / fermata::kGrain;
  if (grains >= fermata::kClasses) [[unlikely]] {
    void* block = std::malloc(bytes);
    FERMATA_CHECK(block != nullptr, "out of memory for a coroutine frame");
    return block;
  }
  fermata::FreeBlock* block = pool.free_lists[grains];
  if (block == nullptr) [[unlikely]]
    return fermata::refill(pool, grains);
  pool.free_lists[grains] = block->next;
  return block;
}

[[gnu::noinline]] void fermata_frame_free(void* memory, std::size_t bytes) noexcept {
  fermata::FramePool& pool = fermata::local_pool;
  --pool.stats.live;
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

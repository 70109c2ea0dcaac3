#include "services/async/huge_pages.h"

#include <sys/mman.h>
#include <time.h>

#include <atomic>
#include <cstdint>

#include "services/async/check.h"

namespace fermata::detail {
namespace {

// A warm huge page is cleared in 0.3 ms. One that a virtual machine's host has to find first takes
// 10: so it is the last one of this process, which then takes small ones, many at a time.
constexpr std::int64_t kDearNs = 2'000'000;
constinit std::atomic<bool> huge_pages_are_dear = false;

std::int64_t now_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

// All advice: a kernel that refuses it (MADV_POPULATE_WRITE is Linux 5.14's) changes nothing.
void advise(char* memory, std::size_t bytes) noexcept {
  if (huge_pages_are_dear.load(std::memory_order_relaxed)) {
    madvise(memory, kHugePageBytes, MADV_POPULATE_WRITE);
    return;
  }
  madvise(memory, bytes, MADV_HUGEPAGE);
  const std::int64_t before_ns = now_ns();
  *static_cast<volatile char*>(memory) = 0;
  if (now_ns() - before_ns > kDearNs) huge_pages_are_dear.store(true, std::memory_order_relaxed);
}

}  // namespace

// A mapping of its own: the heap would keep it after it was freed, and split it.
void* map_huge_pages(std::size_t bytes) noexcept {
  FERMATA_CHECK(bytes % kHugePageBytes == 0, "huge pages come whole");
  const std::size_t mapped_bytes = bytes + kHugePageBytes;
  void* mapped = mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(mapped);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % kHugePageBytes;
  if (before != 0) munmap(begin, before);
  munmap(begin + before + bytes, kHugePageBytes - before);
  advise(begin + before, bytes);
  return begin + before;
}

void unmap_huge_pages(void* memory, std::size_t bytes) noexcept { munmap(memory, bytes); }

}  // namespace fermata::detail

#include "services/async/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

#include "services/async/check.h"

namespace fermata::detail {

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
  madvise(begin + before, bytes, MADV_HUGEPAGE);  // a hint: a refusal changes nothing
  return begin + before;
}

void unmap_huge_pages(void* memory, std::size_t bytes) noexcept { munmap(memory, bytes); }

}  // namespace fermata::detail

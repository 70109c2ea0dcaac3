// Memory in pieces of 2 MiB, as huge pages where the kernel grants them: for what a crowd of tasks
// needs. A hundred thousand of them are 25 MB, and the first touch of these costs 3 ms in huge
// pages and 17 ms in small ones; afterwards a hop no longer misses the TLB.
//
// In a virtual machine whose host takes free memory back (free page reporting), the first touch of
// a huge page may take 10 ms: measured at each mapping, and the first such page is the last.
//
// The advice is per mapping, so it works where transparent huge pages are on for all or on request
// (madvise, the usual setting), and changes nothing where they are off. Any thread.
#ifndef SERVICES_ASYNC_HUGE_PAGES_H_
#define SERVICES_ASYNC_HUGE_PAGES_H_

#include <cstddef>

namespace fermata::detail {

inline constexpr std::size_t kHugePageBytes = 2 * 1024 * 1024;

// Zeroed, aligned to a huge page; null when out of memory. `bytes` is a multiple of kHugePageBytes.
void* map_huge_pages(std::size_t bytes) noexcept;
void unmap_huge_pages(void* memory, std::size_t bytes) noexcept;

}  // namespace fermata::detail

#endif  // SERVICES_ASYNC_HUGE_PAGES_H_

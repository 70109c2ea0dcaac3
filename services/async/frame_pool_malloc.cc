// The frame pool of sanitizer builds: every block is its own malloc block, so that use after free,
// overflow and leaks of coroutine frames are seen by the tool exactly where they happen.
#include <cstdlib>

#include "services/async/check.h"
#include "services/async/frame_pool.h"

namespace fermata {
namespace {
constinit thread_local FramePoolStats stats;
}

FramePoolStats frame_pool_stats() noexcept { return stats; }

}  // namespace fermata

extern "C" {

[[gnu::noinline]] void* fermata_frame_alloc(std::size_t bytes) noexcept {
  ++fermata::stats.live;
  ++fermata::stats.allocated;
  void* block = std::malloc(bytes);
  FERMATA_CHECK(block != nullptr, "out of memory for a coroutine frame");
  return block;
}

[[gnu::noinline]] void fermata_frame_free(void* block, std::size_t) noexcept {
  --fermata::stats.live;
  std::free(block);
}

}  // extern "C"

// Memory for coroutine frames and task blocks.
//
// A frame lives for one call, so it is asked for and given back millions of times a second: malloc
// costs 11 ns a pair here, a LIFO list per size class 1-2 ns. Blocks are multiples of 16 bytes, up
// to 2 KiB; anything larger goes to malloc. Slabs are kept until the thread ends.
//
// One pool per thread, which is one pool per loop: a block must be freed on the thread that
// allocated it. All coroutine memory passes through these two functions, and they are never
// inlined, so that profilers and heap checkers see it under one name. Sanitizer builds link
// frame_pool_malloc.cc instead, where every block is a malloc block of its exact size: recycling
// would hide use-after-free.
#ifndef SERVICES_ASYNC_FRAME_POOL_H_
#define SERVICES_ASYNC_FRAME_POOL_H_

#include <cstddef>
#include <cstdint>

extern "C" {
void* fermata_frame_alloc(std::size_t bytes) noexcept;  // 16-aligned; aborts when out of memory
void fermata_frame_free(void* block, std::size_t bytes) noexcept;
}

namespace fermata {

struct FramePoolStats {
  std::int64_t live = 0;       // blocks in use on this thread
  std::int64_t allocated = 0;  // blocks handed out since the thread began
  std::int64_t reserved_bytes = 0;
};
FramePoolStats frame_pool_stats() noexcept;

}  // namespace fermata

#endif  // SERVICES_ASYNC_FRAME_POOL_H_

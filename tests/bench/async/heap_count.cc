#include "tests/bench/async/heap_count.h"

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace fermata::bench {
namespace {

constinit thread_local HeapCount count;

void* take(std::size_t bytes, std::size_t alignment) {
  void* block = alignment == 0 ? std::malloc(bytes == 0 ? 1 : bytes)
                               : std::aligned_alloc(
                                     alignment, (bytes + alignment - 1) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc();
  ++count.allocations;
  count.live_bytes += static_cast<std::int64_t>(malloc_usable_size(block));
  return block;
}

void give_back(void* block) noexcept {
  count.live_bytes -= static_cast<std::int64_t>(malloc_usable_size(block));
  std::free(block);
}

}  // namespace

HeapCount heap_count() noexcept { return count; }

}  // namespace fermata::bench

using fermata::bench::give_back;
using fermata::bench::take;

void* operator new(std::size_t bytes) { return take(bytes, 0); }
void* operator new[](std::size_t bytes) { return take(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return take(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { give_back(block); }
void operator delete[](void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }
void operator delete[](void* block, std::size_t) noexcept { give_back(block); }
void operator delete(void* block, std::align_val_t) noexcept { give_back(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { give_back(block); }

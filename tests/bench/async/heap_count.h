// Counts what a program takes from the heap. Linking heap_count.cc replaces operator new and
// delete for the whole binary; coroutine frames come from the frame pool, which counts for itself
// (frame_pool.h).
#ifndef TESTS_BENCH_ASYNC_HEAP_COUNT_H_
#define TESTS_BENCH_ASYNC_HEAP_COUNT_H_

#include <cstdint>

namespace fermata::bench {

struct HeapCount {
  std::int64_t allocations = 0;  // since this thread began
  std::int64_t live_bytes = 0;   // taken minus given back, on this thread
};
HeapCount heap_count() noexcept;

}  // namespace fermata::bench

#endif  // TESTS_BENCH_ASYNC_HEAP_COUNT_H_

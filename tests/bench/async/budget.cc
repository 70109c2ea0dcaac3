// Runs one operation a given number of times and nothing else: for check_budgets, which counts the
// instructions of this process under cachegrind.
//
//   budget --list                    the names of all operations that can have a budget
//   budget NAME TIMES WARM_UP        first WARM_UP times, so that pools and vectors have grown
//
// Two runs that differ in TIMES alone differ by what the operation costs: starting up, warming up
// and the loop itself fall out. Prints frames and heap allocations of the TIMES, in all.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "services/async/async.h"
#include "tests/bench/async/heap_count.h"
#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

struct Taken {
  long frames = 0;
  long heap = 0;
};

Co<absl::Status> count(const Operation* operation, long times, long warm_up, Taken* taken) {
  absl::Status warm = co_await operation->repeat(warm_up);
  if (!warm.ok()) co_return warm;
  const long frames = frame_pool_stats().allocated;
  const long heap = heap_count().allocations;
  absl::Status status = co_await operation->repeat(times);
  taken->frames = frame_pool_stats().allocated - frames;
  taken->heap = heap_count().allocations - heap;
  co_return status;
}

int list() {
  for (const Operation& operation : all_operations()) {
    if (operation.repeatable) std::printf("%s\n", operation.name);
  }
  return 0;
}

int measure(const Operation& operation, long times, long warm_up) {
  Taken taken;
  const absl::Status status = run(count(&operation, times, warm_up, &taken));
  if (!status.ok()) {
    std::fprintf(stderr, "budget: %s failed: %s\n", operation.name, status.ToString().c_str());
    return 1;
  }
  std::printf("frames %ld heap %ld\n", taken.frames, taken.heap);
  return 0;
}

int main(int count, char** arguments) {
  if (count == 2 && std::strcmp(arguments[1], "--list") == 0) return list();
  const Operations operations = all_operations();
  for (const Operation& operation : operations) {
    if (count == 4 && std::strcmp(arguments[1], operation.name) == 0) {
      return measure(operation, std::atol(arguments[2]), std::atol(arguments[3]));
    }
  }
  std::fprintf(stderr, "usage: budget --list | budget NAME TIMES WARM_UP; names: see --list\n");
  return 2;
}

}  // namespace
}  // namespace fermata::bench

int main(int count, char** arguments) { return fermata::bench::main(count, arguments); }

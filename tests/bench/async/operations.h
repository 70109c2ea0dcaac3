// The operations of the core whose cost is watched, each as a coroutine that repeats it.
//
// Two programs run them: core_bench.cc (time, frames and heap allocations per operation, Google
// Benchmark) and budget.cc (the same without time, under cachegrind, against budgets.txt). So what
// has a budget is what was measured. Names are those under which other runtimes measure the same
// thing, where there is one: folly's TaskBenchmark (NestedCalls3), Seastar's coroutine_perf
// (coro_ready), tokio's benches (ping_pong, spawn_many_local, yield_many), FoundationDB's flow
// (ConstructAndCancel, BatchCancel), Cobalt's (immediate).
//
// A callee is marked noinline: inlined, its frame may vanish, and what is measured with it.
#ifndef TESTS_BENCH_ASYNC_OPERATIONS_H_
#define TESTS_BENCH_ASYNC_OPERATIONS_H_

#include <vector>

#include "absl/status/status.h"
#include "services/async/async.h"

namespace fermata::bench {

struct Operation {
  const char* name;
  // Does it `times` times, on the loop it is called on; what was made for it is gone afterwards.
  Co<absl::Status> (*repeat)(long times);
  // Takes the same instructions in every run, so it can have a budget.
  bool repeatable = true;
};

using Operations = std::vector<Operation>;

Operations call_operations();
Operations task_operations();
Operations queue_operations();
Operations sync_operations();
Operations cancel_operations();
Operations timer_operations();
Operations loop_operations();
Operations stream_operations();

Operations all_operations();

// The compiler must assume that somebody looks at the value.
template <class T>
void keep(T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace fermata::bench

#endif  // TESTS_BENCH_ASYNC_OPERATIONS_H_

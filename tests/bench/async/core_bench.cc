// What each operation of the core costs in time, frames of the pool and heap allocations.
//
//   bazel run --config=release //tests/bench/async:core_bench
//   … -- --benchmark_filter=queue     some of them
//
// Each is repeated on an EpollLoop; the loop's own steps are part of the price. Compare in one run
// on one machine: times move with both. Instructions do not, and are what check_budgets watches.
#include "benchmark/benchmark.h"
#include "services/async/async.h"
#include "tests/bench/async/heap_count.h"
#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

// A multiple of every operation's own batch.
constexpr long kTimes = 10000;

Co<absl::Status> measure(benchmark::State& state, const Operation& operation) {
  absl::Status status = co_await operation.repeat(kTimes);
  const std::int64_t frames = frame_pool_stats().allocated;
  const std::int64_t heap = heap_count().allocations;
  double done = 0;
  while (status.ok() && state.KeepRunningBatch(kTimes)) {
    status = co_await operation.repeat(kTimes);
    done += kTimes;
  }
  state.counters["frames"] = static_cast<double>(frame_pool_stats().allocated - frames) / done;
  state.counters["heap"] = static_cast<double>(heap_count().allocations - heap) / done;
  co_return status;
}

void run_benchmark(benchmark::State& state, const Operation& operation) {
  const absl::Status status = run(measure(state, operation));
  if (!status.ok()) state.SkipWithError(status.ToString().c_str());
}

}  // namespace
}  // namespace fermata::bench

int main(int count, char** arguments) {
  const fermata::bench::Operations operations = fermata::bench::all_operations();
  for (const fermata::bench::Operation& operation : operations) {
    benchmark::RegisterBenchmark(operation.name, [&operation](benchmark::State& state) {
      fermata::bench::run_benchmark(state, operation);
    })->UseRealTime();
  }
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

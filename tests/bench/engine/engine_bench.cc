// What a job costs in the engine alone: no gRPC, no plugin, one thread. One JSON line per question.
//
//   noop/K     submit a bare stage that gives nothing and wait for its end, K at a time
//   queued     unfinished jobs that wait for their turn: memory per job
//   fan_out    one job of 10,000 calls
//   chain      a pipeline of four stages
//
// CPU seconds are measured, not wall time, so a busy machine disturbs less; the counting allocator
// says how often each job allocates.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string>

#include "services/async/async.h"
#include "services/engine/engine.h"
#include "services/stages/testing/fake_stages.h"
#include "services/store/memory_store.h"

namespace {
uint64_t allocations = 0;
}

void* operator new(size_t size) {
  ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace fermata {
namespace {

constexpr int64_t kJobs = 200000;

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

double resident_bytes() {
  long total = 0, resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  std::fclose(file);
  return static_cast<double>(resident) * 4096;
}

Co<absl::StatusOr<std::string>> noop(FakeCall& call) { co_return std::string(); }
Co<absl::StatusOr<std::string>> echo(FakeCall& call) { co_return call.request.input; }
Co<absl::StatusOr<std::string>> stuck(FakeCall& call) {
  co_await sleep(absl::InfiniteDuration());
  co_return std::string();
}

EngineLimits bench_limits() {
  EngineLimits limits;
  limits.jobs = 10000000;
  limits.bytes = size_t{8} << 30;
  return limits;
}

struct Bench {
  Bench()
      : clock(loop),
        random(1),
        store(clock, retention()),
        engine(loop, store, stages, library, clock, random, bench_limits()) {
    stages.add("test/noop", &noop);
    stages.add("test/echo", &echo);
    stages.add("test/stuck", &stuck);
  }
  static Retention retention() {
    Retention retention;
    retention.jobs = 1000;
    return retention;
  }
  EpollLoop loop;
  LoopClock clock;
  std::mt19937_64 random;
  MemoryStore store;
  FakeStages stages;
  PipelineLibrary library;
  Engine engine;
};

// Measures from its making to report().
class Meter {
 public:
  void report(const char* name, int64_t n) const {
    const double seconds = cpu_seconds() - began_;
    std::printf(
        "{\"test\":\"%s\",\"n\":%lld,\"per_cpu_second\":%.0f,\"cpu_ns\":%.0f,"
        "\"allocations\":%.1f,\"resident_bytes\":%.0f}\n",
        name, static_cast<long long>(n), static_cast<double>(n) / seconds,
        seconds / static_cast<double>(n) * 1e9,
        static_cast<double>(allocations - allocated_) / static_cast<double>(n),
        (resident_bytes() - resident_) / static_cast<double>(n));
  }

 private:
  double began_ = cpu_seconds();
  double resident_ = resident_bytes();
  uint64_t allocated_ = allocations;
};

Co<absl::Status> client(Bench* bench, int64_t jobs) {
  for (int64_t i = 0; i < jobs; ++i) {
    SubmitRequest request;
    request.stage = "test/noop";
    request.input = R"({"n":1})";
    co_await Try(bench->engine.submit_and_wait(std::move(request), true));
  }
  co_return absl::OkStatus();
}
Co<absl::Status> clients(TaskGroup& group, Bench* bench, int64_t outstanding) {
  for (int64_t i = 0; i < outstanding; ++i) group.spawn(&client, bench, kJobs / outstanding);
  co_return absl::OkStatus();
}

Co<absl::Status> noop_jobs(Bench* bench) {
  for (const int64_t outstanding : {1, 16, 64, 1024}) {
    const Meter meter;
    co_await Try(with_group(&clients, bench, outstanding));
    meter.report(("noop/" + std::to_string(outstanding)).c_str(), kJobs);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> one_pipeline(Bench* bench, const char* name, std::string yaml, std::string input,
                              int64_t jobs, int64_t units) {
  absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline = parse_pipeline(yaml, name, nullptr);
  if (!pipeline.ok()) co_return pipeline.status();
  if (absl::Status added = bench->library.add(*pipeline); !added.ok()) co_return added;
  const Meter meter;
  for (int64_t i = 0; i < jobs; ++i) {
    SubmitRequest request;
    request.pipeline = (*pipeline)->name;
    request.input = input;
    JobView job = co_await Try(bench->engine.submit_and_wait(std::move(request), true));
    if (job->state != JobState::kSucceeded) co_return absl::InternalError(job->error->message);
  }
  meter.report(name, jobs * units);
  co_return absl::OkStatus();
}

Co<absl::Status> pipelines(Bench* bench) {
  std::string chain = "pipeline: chain\nstages:\n  s0: { use: test/echo, with: \"${/input}\" }\n";
  for (int i = 1; i < 4; ++i) {
    chain += "  s" + std::to_string(i) + ": { use: test/echo, with: { v: \"${/stages/s" +
             std::to_string(i - 1) + "}\" } }\n";
  }
  co_await Try(one_pipeline(bench, "chain", chain, R"({"a":1})", 20000, 1));
  std::string items = "[0";
  for (int i = 1; i < 10000; ++i) items += "," + std::to_string(i);
  const std::string wide =
      "pipeline: wide\nstages:\n  e: { use: test/echo, each: \"${/input}\", "
      "with: { i: \"${/item}\" }, parallel: 64 }\n";
  co_await Try(one_pipeline(bench, "fan_out", wide, items + "]", 10, 10000));
  co_return absl::OkStatus();
}

Co<absl::Status> queued_jobs(Bench* bench) {
  const Meter meter;
  for (int64_t i = 0; i < kJobs; ++i) {
    SubmitRequest request;
    request.stage = "test/stuck";
    request.input = R"({"n":1})";
    co_await Try(bench->engine.submit(std::move(request)));
  }
  meter.report("queued", kJobs);
  co_return absl::OkStatus();
}

Co<absl::Status> all(TaskGroup& group, Bench* bench) {
  group.spawn(&Engine::run, &bench->engine);
  co_await Try(noop_jobs(bench));
  co_await Try(pipelines(bench));
  co_await Try(queued_jobs(bench));
  const Meter meter;
  bench->engine.stop();
  bool empty = co_await bench->engine.drained(absl::InfiniteFuture());
  meter.report("stop", kJobs);
  if (!empty) co_return absl::InternalError("jobs are left");
  co_return absl::OkStatus();
}
Co<absl::Status> serve(Bench* bench) { co_return co_await with_group(&all, bench); }

}  // namespace
}  // namespace fermata

int main() {
  fermata::Bench bench;
  const absl::Status status = bench.loop.run(&fermata::serve, &bench);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

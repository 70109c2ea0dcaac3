// The embedded store under the engine, on a real loop and a real disk:
//
//   store_bench fill DIR JOBS pending|finished    makes a store with so many jobs, and dies in it
//   store_bench submit DIR SECONDS                submits per second with 64 outstanding, by
//                                                 durability; one line of JSON
//
// tests/bench/store/run builds it and has fermatad open what it has filled.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "services/async/async.h"
#include "services/engine/engine.h"
#include "services/stages/testing/fake_stages.h"
#include "services/store/memory_store.h"
#include "services/store/sqlite/sqlite_store.h"

namespace fermata {
namespace {

constexpr int kOutstanding = 64;
constexpr int kFillers = 2000;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Co<absl::StatusOr<std::string>> none(FakeCall& call) { co_return std::string(); }
Co<absl::StatusOr<std::string>> stuck(FakeCall& call) {
  co_await sleep(absl::InfiniteDuration());
  co_return std::string();
}

// An engine on a store, and what it borrows.
struct Bench {
  Bench(EpollLoop& loop, JobStore& store, const EngineLimits& limits)
      : clock(loop), random(1), engine(loop, store, stages, library, clock, random, limits) {
    stages.add("test/none", &none);
    stages.add("time/delay", &stuck);  // as fermatad knows it
  }
  LoopClock clock;
  std::mt19937_64 random;
  FakeStages stages;
  PipelineLibrary library;
  Engine engine;
};

EngineLimits wide_limits(size_t running) {
  EngineLimits limits;
  limits.jobs = 100'000'000;
  limits.bytes = size_t{1} << 40;
  limits.running = running;
  return limits;
}

SqliteOptions options_for(const std::string& directory, Durability durability) {
  SqliteOptions options;
  options.directory = directory;
  options.durability.otherwise = durability;
  return options;
}

Co<absl::Status> submit_some(Engine* engine, std::string stage, int64_t* left, double until) {
  while (*left > 0 && now_s() < until) {
    --*left;
    SubmitRequest request;
    request.stage = stage;
    request.input = R"({"for":"1h","value":"http://127.0.0.1:8080/index.html"})";
    absl::StatusOr<JobView> job = co_await engine->submit(std::move(request));
    if (!job.ok()) co_return job.status();
  }
  co_return absl::OkStatus();
}

Co<absl::Status> submit_all(TaskGroup& group, Engine* engine, std::string stage, int workers,
                            int64_t* left, double until) {
  for (int i = 0; i < workers; ++i) {
    group.spawn(&submit_some, engine, stage, left, until);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> fill_store(TaskGroup& group, Engine* engine, std::string stage, int64_t jobs) {
  group.spawn_named("engine", &Engine::run, engine);
  int64_t left = jobs;
  co_await Try(with_group(&submit_all, engine, stage, kFillers, &left, 1e18));
  if (stage == "test/none") co_await engine->drained(absl::InfiniteFuture());
  std::_Exit(0);  // as a crash would
}

Co<absl::Status> submit_for(TaskGroup& group, Engine* engine, double seconds, int64_t* done) {
  group.spawn_named("engine", &Engine::run, engine);
  int64_t left = int64_t{1} << 60;
  const int64_t before = left;
  co_await Try(with_group(&submit_all, engine, std::string("test/none"), kOutstanding, &left,
                          now_s() + seconds));
  *done = before - left;
  engine->stop();
  co_return absl::OkStatus();
}

Co<absl::Status> submit_and_close(JobStore* store, Engine* engine, double seconds, int64_t* done) {
  absl::Status status = co_await with_group(&submit_for, engine, seconds, done);
  co_await store->close();
  co_return status;
}

absl::StatusOr<double> submits_per_second(const std::string& directory, Durability durability,
                                          double seconds) {
  EpollLoop loop;
  LoopClock clock(loop);
  std::unique_ptr<JobStore> store;
  if (durability == Durability::kMemory) {
    store = std::make_unique<MemoryStore>(clock, Retention());
  } else {
    absl::StatusOr<std::unique_ptr<SqliteStore>> opened =
        SqliteStore::open(loop, clock, options_for(directory, durability));
    if (!opened.ok()) return opened.status();
    store = *std::move(opened);
  }
  Bench bench(loop, *store, wide_limits(10000));
  int64_t done = 0;
  const absl::Status status =
      loop.run(&submit_and_close, store.get(), &bench.engine, seconds, &done);
  if (!status.ok()) return status;
  return static_cast<double>(done) / seconds;
}

int fail(const absl::Status& status) {
  std::fprintf(stderr, "store_bench: %s\n", status.ToString().c_str());
  return 1;
}

int submit(const std::string& directory, double seconds) {
  const absl::StatusOr<double> memory = submits_per_second(directory, Durability::kMemory, seconds);
  const absl::StatusOr<double> relaxed =
      submits_per_second(directory, Durability::kRelaxed, seconds);
  const absl::StatusOr<double> durable =
      submits_per_second(directory, Durability::kDurable, seconds);
  for (const auto* result : {&memory, &relaxed, &durable}) {
    if (!result->ok()) return fail(result->status());
  }
  std::printf("{\"memory_per_s\": %.0f, \"relaxed_per_s\": %.0f, \"durable_per_s\": %.0f}\n",
              *memory, *relaxed, *durable);
  return 0;
}

int fill(const std::string& directory, int64_t jobs, bool finished) {
  EpollLoop loop;
  LoopClock clock(loop);
  SqliteOptions options = options_for(directory, Durability::kDurable);
  options.retention.jobs = options.retention.bytes = size_t{1} << 40;
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::open(loop, clock, options);
  if (!store.ok()) return fail(store.status());
  Bench bench(loop, **store, wide_limits(finished ? 10000 : 1));
  const auto run_fill = [](Engine* engine, std::string stage, int64_t count) -> Co<absl::Status> {
    co_return co_await with_group(&fill_store, engine, stage, count);
  };
  const std::string stage = finished ? "test/none" : "time/delay";
  return fail(loop.run(run_fill, &bench.engine, stage, jobs));
}

int bench_main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[1] : "";
  const std::string_view kind = argc == 5 ? argv[4] : "";
  if (mode == "submit" && argc == 4) return submit(argv[2], std::atof(argv[3]));
  if (mode == "fill" && (kind == "pending" || kind == "finished")) {
    return fill(argv[2], std::atoll(argv[3]), kind == "finished");
  }
  std::fprintf(stderr, "usage: store_bench fill DIR JOBS pending|finished | submit DIR SECONDS\n");
  return 2;
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) { return fermata::bench_main(argc, argv); }

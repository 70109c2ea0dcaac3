#include "services/plugin_kit/run_stage.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "services/async/async.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/subject.h"
#include "services/stages/host_table.h"
#include "services/stages/plugin_host.h"
#include "services/stages/plugin_library.h"
#include "services/stages/plugin_note.h"

namespace fermata::kit {
namespace {

int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

class Listener final : public StageObserver {
 public:
  explicit Listener(const std::function<void(std::string_view)>& say) : say_(say) {}
  void progress(double fraction, std::string_view note) override {
    if (!say_) return;
    const std::string share =
        std::isnan(fraction) ? "?" : str_cat(static_cast<int>(fraction * 100), "%");
    say_(str_cat("progress ", share, " ", note));
  }
  void chunk(const Buffer& bytes) override {
    if (say_) say_(str_cat("chunk ", bytes.view()));
  }

 private:
  const std::function<void(std::string_view)>& say_;
};

StagesOptions stages_options(const RunOptions& options, const std::string& short_name) {
  StagesOptions stages;
  if (!options.config.empty()) stages.config[short_name] = options.config;
  stages.log = [&options](const StageLogRecord& record) {
    if (options.on_message) options.on_message(str_cat("log ", record.message));
  };
  return stages;
}

using Body = Co<absl::Status> (*)(PluginHost& host, StageRef stage, void* data);

// The plugin in a host on `loop`, the stage resolved, the body run, everything closed.
Co<absl::Status> with_stage(const RunOptions* options, Loop* loop, Body body, void* data) {
  // The dynamic loader would wait for the other end of a FIFO.
  if (absl::Status status = read_file(options->file).status(); !status.ok()) co_return status;
  const std::string path = std::filesystem::absolute(options->file).string();
  absl::StatusOr<std::unique_ptr<PluginLibrary>> library = PluginLibrary::open(path);
  if (!library.ok()) co_return library.status();
  const fermata_plugin* plugin = (*library)->describe(host_table());
  if (plugin == nullptr) {
    co_return absl::FailedPreconditionError(
        str_cat(options->file, ": fermata_plugin_v1 refused this host: it returned NULL"));
  }
  const std::string short_name =
      short_plugin_name(std::string_view(plugin->id.ptr, plugin->id.len));
  PluginHost host(*loop, stages_options(*options, short_name));
  absl::Status status =
      co_await host.add_plugin(std::filesystem::path(path).filename().string(), plugin);
  if (status.ok()) {
    absl::StatusOr<StageRef> stage = host.resolve(str_cat(short_name, "/", options->stage));
    if (stage.ok()) {
      status = co_await body(host, *std::move(stage), data);
    } else {
      status = stage.status();
    }
  }
  co_await host.close();
  co_return status;
}

absl::Status run_with_stage(const RunOptions& options, Body body, void* data) {
  EpollLoop loop;
  Loop* base = &loop;
  const RunOptions* given = &options;
  return loop.run(&with_stage, given, base, body, data);
}

struct OneRun {
  const RunOptions* options;
  std::string output;
};

Co<absl::Status> run_once(PluginHost& host, StageRef stage, void* data) {
  auto& run = *static_cast<OneRun*>(data);
  Listener listener(run.options->on_message);
  StageRequest request;
  request.job_id = "run";
  request.input = run.options->input;
  request.observer = &listener;
  StageOutcome outcome = co_await host.call(std::move(stage), std::move(request));
  if (outcome.status.ok()) run.output = std::string(outcome.output.view());
  co_return outcome.status;
}

struct Bench {
  const RunOptions* options;
  int64_t half_ns;
  int concurrency;
  std::vector<int64_t> alone_ns;
  int64_t end_ns = 0;
  uint64_t calls = 0;
  absl::Status failed;
};

Co<absl::Status> call_once(PluginHost& host, StageRef stage, Bench& bench) {
  StageRequest request;
  request.job_id = "bench";
  request.input = bench.options->input;
  const StageOutcome outcome = co_await host.call(std::move(stage), std::move(request));
  co_return outcome.status;
}

Co<void> call_for_a_while(PluginHost* host, StageRef stage, Bench* bench) {
  while (bench->failed.ok() && now_ns() < bench->end_ns) {
    const absl::Status status = co_await call_once(*host, stage, *bench);
    if (!status.ok()) bench->failed = status;
    ++bench->calls;
    // A stage that does not wait would keep the loop to itself.
    co_await yield_now();
  }
}

Co<void> call_many(TaskGroup& group, PluginHost* host, StageRef stage, Bench* bench) {
  for (int i = 0; i < bench->concurrency; ++i) {
    group.spawn(call_for_a_while, host, stage, bench);
  }
  co_return;
}

Co<absl::Status> run_bench(PluginHost& host, StageRef stage, void* data) {
  Bench& bench = *static_cast<Bench*>(data);
  constexpr size_t kMaxSamples = 1'000'000;
  const int64_t end = now_ns() + bench.half_ns;
  while (now_ns() < end && bench.alone_ns.size() < kMaxSamples) {
    const int64_t began = now_ns();
    const absl::Status status = co_await call_once(host, stage, bench);
    if (!status.ok()) co_return status;
    bench.alone_ns.push_back(now_ns() - began);
  }
  bench.end_ns = now_ns() + bench.half_ns;
  PluginHost* target = &host;
  Bench* shared = &bench;
  (void)co_await with_group(&call_many, target, stage, shared);
  co_return bench.failed;
}

}  // namespace

absl::StatusOr<std::string> run_stage(const RunOptions& options) {
  OneRun run{&options, ""};
  const absl::Status status = run_with_stage(options, &run_once, &run);
  if (!status.ok()) return status;
  return std::move(run.output);
}

absl::StatusOr<BenchResult> bench_stage(const RunOptions& options, absl::Duration duration,
                                        int concurrency) {
  Bench bench{&options, absl::ToInt64Nanoseconds(duration) / 2, concurrency, {}, 0, 0, {}};
  const int64_t began = now_ns();
  const absl::Status status = run_with_stage(options, &run_bench, &bench);
  if (!status.ok()) return status;
  BenchResult result;
  result.took = absl::Nanoseconds(now_ns() - began);
  std::sort(bench.alone_ns.begin(), bench.alone_ns.end());
  if (bench.alone_ns.empty()) return absl::DeadlineExceededError("not one call ended in the time");
  result.calls = bench.alone_ns.size() + bench.calls;
  result.p50 = absl::Nanoseconds(bench.alone_ns[bench.alone_ns.size() / 2]);
  result.p99 = absl::Nanoseconds(bench.alone_ns[bench.alone_ns.size() * 99 / 100]);
  result.calls_per_second =
      static_cast<double>(bench.calls) / (static_cast<double>(bench.half_ns) / 1e9);
  return result;
}

}  // namespace fermata::kit

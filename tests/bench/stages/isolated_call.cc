// What a call into a plugin's own process costs, beside the same stage in this process.
//
//   bazel run --config=release //tests/bench/stages:isolated_call -- sample.so fermata-plugin-host
//
// "alone": one call after the other, p50. "in batches of 64": that many at once, time per call,
// best of several rounds. On one CPU and on all of them, each beside what the machine takes to wake
// a thread there and back. Exits with 1 when a line with a requirement misses it.
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "services/async/async.h"
#include "services/stages/plugin_host.h"

namespace fermata {
namespace {

constexpr int kCalls = 20000;
constexpr int kBatch = 64;
constexpr int kRounds = 200;
// Of an isolated call with a small input.
constexpr size_t kSmall = 128;
constexpr double kAloneMaxUs = 60;
constexpr double kBatchedMaxUs = 5;

using Clock = std::chrono::steady_clock;

double since_us(Clock::time_point began) {
  return std::chrono::duration<double, std::micro>(Clock::now() - began).count();
}

StageRequest request_of(const std::string& input) {
  StageRequest request;
  request.job_id = "job";
  request.input = input;
  return request;
}

Co<absl::Status> call_once(Stages* stages, StageRef stage, std::string input) {
  StageOutcome outcome = co_await stages->call(stage, request_of(input));
  co_return outcome.status;
}

Co<double> alone_us(Stages* stages, StageRef stage, std::string input) {
  std::vector<double> times;
  for (int i = 0; i < kCalls; ++i) {
    const auto began = Clock::now();
    absl::Status status = co_await call_once(stages, stage, input);
    if (!status.ok()) std::abort();
    times.push_back(since_us(began));
  }
  std::nth_element(times.begin(), times.begin() + kCalls / 2, times.end());
  co_return times[kCalls / 2];
}

Co<absl::Status> batch(TaskGroup& group, Stages* stages, StageRef stage, std::string input) {
  for (int i = 0; i < kBatch; ++i) group.spawn(call_once, stages, stage, input);
  co_return absl::OkStatus();
}

Co<double> batched_us(Stages* stages, StageRef stage, std::string input) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto began = Clock::now();
    absl::Status status = co_await with_group(batch, stages, stage, input);
    if (!status.ok()) std::abort();
    best = std::min(best, since_us(began) / kBatch);
  }
  co_return best;
}

// One byte there and back between two threads: what the machine takes to wake two sleepers, and so
// the least that a call of a process that sleeps can take.
double bare_us() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  std::thread other([fd = ends[1]] {
    char byte = 0;
    while (::read(fd, &byte, 1) == 1 && ::write(fd, &byte, 1) == 1) {
    }
  });
  std::vector<double> times;
  char byte = 0;
  for (int i = 0; i < kCalls; ++i) {
    const auto began = Clock::now();
    if (::write(ends[0], &byte, 1) != 1 || ::read(ends[0], &byte, 1) != 1) std::abort();
    times.push_back(since_us(began));
  }
  ::close(ends[0]);
  other.join();
  ::close(ends[1]);
  std::nth_element(times.begin(), times.begin() + kCalls / 2, times.end());
  return times[kCalls / 2];
}

// All threads and processes from now on, or again wherever the kernel likes.
void use_cpus(bool one) {
  static cpu_set_t all = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    (void)::sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  cpu_set_t first;
  CPU_ZERO(&first);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&first) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &first);
  }
  (void)::sched_setaffinity(0, sizeof all, one ? &first : &all);
}

Co<absl::Status> measure(Loop* loop, const char* sample, const char* program, bool isolated) {
  std::string pattern = "/tmp/stage_bench.XXXXXX";
  const std::string root = ::mkdtemp(pattern.data());
  std::filesystem::create_directory(root + "/plugins");
  std::filesystem::copy_file(sample, root + "/plugins/sample.so");
  ::chmod((root + "/plugins/sample.so").c_str(), 0644);
  StagesOptions options;
  options.folder = root + "/plugins";
  options.private_dir = root + "/private";
  options.placements.program = std::filesystem::absolute(program).string();
  if (isolated) options.placements.standard.placement = Placement::kIsolated;
  PluginHost host(*loop, options);
  LoadReport report = co_await host.load_all();
  for (const std::string& refusal : report.refusals) std::printf("%s\n", refusal.c_str());
  absl::StatusOr<StageRef> stage = host.resolve("sample/echo");
  if (!stage.ok()) {
    co_await host.close();
    co_return stage.status();
  }
  const char* where = isolated ? "in its own process" : "in this process";
  bool missed = false;
  for (const size_t size : {kSmall, size_t{4096}, size_t{65536}}) {
    const std::string input(size, '1');
    const double one = co_await alone_us(&host, *stage, input);
    const double many = co_await batched_us(&host, *stage, input);
    std::printf("%-20s %8zu bytes   alone p50 %8.2f us   in batches of %d %8.3f us a call", where,
                size, one, kBatch, many);
    if (isolated && size == kSmall) {
      const bool kept = one < kAloneMaxUs && many < kBatchedMaxUs;
      std::printf("   required < %.0f and < %.0f: %s", kAloneMaxUs, kBatchedMaxUs,
                  kept ? "kept" : "MISSED");
      missed = missed || !kept;
    }
    std::printf("\n");
  }
  co_await host.close();
  std::filesystem::remove_all(root);
  if (report.status.ok() && missed) co_return absl::OutOfRangeError("a requirement was missed");
  co_return report.status;
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) {
  const char* sample = argc > 1 ? argv[1] : "tests/sdk/sample.so";
  const char* program = argc > 2 ? argv[2] : "services/plugin_host/fermata-plugin-host";
  const struct {
    bool isolated;
    bool one_cpu;
  } rows[] = {{false, false}, {true, true}, {true, false}};
  for (const auto& row : rows) {
    fermata::use_cpus(row.one_cpu);
    if (row.isolated) {
      std::printf("%s; a byte there and back between two threads takes %.2f us\n",
                  row.one_cpu ? "On one CPU" : "On all CPUs", fermata::bare_us());
    }
    fermata::EpollLoop loop;
    fermata::Loop* base = &loop;
    const absl::Status status = loop.run(fermata::measure, base, sample, program, row.isolated);
    if (!status.ok()) std::printf("%s\n", status.ToString().c_str());
    if (!status.ok()) return 1;
  }
  return 0;
}

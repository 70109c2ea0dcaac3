// R8 callbacks from another thread: as fast as it can, and one at a time to a loop that sleeps.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "tests/bench/async/runtime.h"

namespace fermata::bench {
namespace {

struct Posted : PostNode {
  Posted() : PostNode([](PostNode& node) noexcept { static_cast<Posted&>(node).arrived(); }) {}
  void arrived() noexcept {
    if (latencies != nullptr) latencies->push_back(since(sent) * 1e6);
    if (++*count == limit) all->set();
    if (seen != nullptr) seen->fetch_add(1, std::memory_order_release);
  }
  Clock::time_point sent;
  std::vector<double>* latencies = nullptr;
  std::atomic<int>* seen = nullptr;
  long* count = nullptr;
  long limit = 0;
  Event* all = nullptr;
};

// System calls of this process that write: here, the eventfd that ends the loop's sleep.
long writes_so_far() {
  long writes = -1;
  std::FILE* file = std::fopen("/proc/self/io", "r");
  if (file == nullptr) return writes;
  if (std::fscanf(file, "rchar: %*d wchar: %*d syscr: %*d syscw: %ld", &writes) != 1) writes = -1;
  std::fclose(file);
  return writes;
}

}  // namespace

Co<absl::Status> r8() {
  Loop& loop = Loop::current();
  const std::uint64_t sleeps_before = loop.stats().wakeups;
  const long writes_before = writes_so_far();
  const long n = 2000000;
  long count = 0;
  Event all;
  std::vector<Posted> nodes(n);
  const Clock::time_point start = Clock::now();
  std::thread producer([&nodes, &loop, &count, &all] {
    for (Posted& node : nodes) {
      node.count = &count;
      node.limit = n;
      node.all = &all;
      loop.post(node);
    }
  });
  co_await all.wait();
  const double seconds = since(start);
  producer.join();

  const int wakes = 5000;
  std::vector<double> latencies;
  std::atomic<int> seen{0};
  long woken = 0;
  Event done;
  std::thread waker([&loop, &latencies, &seen, &woken, &done] {
    std::vector<Posted> nodes(wakes);
    for (int i = 0; i < wakes; ++i) {
      nodes[i].latencies = &latencies;
      nodes[i].seen = &seen;
      nodes[i].count = &woken;
      nodes[i].limit = wakes;
      nodes[i].all = &done;
      nodes[i].sent = Clock::now();
      loop.post(nodes[i]);
      while (seen.load(std::memory_order_acquire) <= i) {
      }
      poll(nullptr, 0, 1);  // so that the loop falls asleep again
    }
  });
  co_await done.wait();
  waker.join();
  std::sort(latencies.begin(), latencies.end());
  const double sleeps = static_cast<double>(loop.stats().wakeups - sleeps_before);
  const double writes = static_cast<double>(writes_so_far() - writes_before);
  print("R8", n, seconds,
        field("wake_p50_us", latencies[wakes / 2]) +
            field("wake_p99_us", latencies[wakes * 99 / 100]) + field("sleeps", sleeps) +
            field("writes", writes));
  co_return absl::OkStatus();
}

}  // namespace fermata::bench

// The loop's door: callbacks posted from its own thread, from another one while it is busy, and
// from another one while it sleeps.
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

// Counts down, on the loop; the last one sets the event.
struct Arrival : PostNode {
  Arrival() : PostNode(&Arrival::arrive) {}
  static void arrive(PostNode& node) noexcept {
    Arrival& self = static_cast<Arrival&>(node);
    if (--*self.left == 0) self.all->set();
    if (self.seen != nullptr) self.seen->fetch_add(1, std::memory_order_release);
  }
  long* left = nullptr;
  Event* all = nullptr;
  std::atomic<long>* seen = nullptr;
};

Co<absl::Status> post_same_thread(long times) {
  Loop& loop = Loop::current();
  for (long i = 0; i < times; i += 100) {
    long left = 100;
    Event all;
    std::vector<Arrival> nodes(100);
    for (Arrival& node : nodes) {
      node.left = &left;
      node.all = &all;
      loop.post(node);
    }
    co_await all.wait();
  }
  co_return absl::OkStatus();
}

Co<absl::Status> post_call_same_thread(long times) {
  Loop& loop = Loop::current();
  for (long i = 0; i < times; i += 100) {
    long left = 100;
    Event all;
    for (int k = 0; k < 100; ++k) {
      loop.post([&left, &all] {
        if (--left == 0) all.set();
      });
    }
    co_await all.wait();
  }
  co_return absl::OkStatus();
}

Co<void> keep_busy(const long* left) {
  while (*left > 0) co_await yield_now();
}
Co<absl::Status> busy_body(TaskGroup& group, const long* left, Event* all) {
  group.spawn(&keep_busy, left);
  co_await all->wait();
  co_return absl::OkStatus();
}
Co<absl::Status> post_busy(long times) {
  Loop& loop = Loop::current();
  long left = times;
  Event all;
  std::vector<Arrival> nodes(static_cast<std::size_t>(times));
  std::thread poster([&loop, &nodes, &left, &all] {
    for (Arrival& node : nodes) {
      node.left = &left;
      node.all = &all;
      loop.post(node);
    }
  });
  absl::Status status = co_await with_group(&busy_body, &left, &all);
  poster.join();
  co_return status;
}

// One at a time: each finds the loop asleep, or about to be.
Co<absl::Status> post_idle(long times) {
  Loop& loop = Loop::current();
  long left = times;
  Event all;
  std::atomic<long> seen{0};
  std::vector<Arrival> nodes(static_cast<std::size_t>(times));
  std::thread poster([&loop, &nodes, &left, &all, &seen] {
    long sent = 0;
    for (Arrival& node : nodes) {
      node.left = &left;
      node.all = &all;
      node.seen = &seen;
      loop.post(node);
      ++sent;
      while (seen.load(std::memory_order_acquire) < sent) std::this_thread::yield();
    }
  });
  co_await all.wait();
  poster.join();
  co_return absl::OkStatus();
}

}  // namespace

Operations loop_operations() {
  return {
      {"post_same_thread", &post_same_thread},
      {"post_call_same_thread", &post_call_same_thread},
      {"post_busy", &post_busy, false},  // tokio's spawn_many_remote_busy
      {"post_idle", &post_idle, false},  // tokio's spawn_many_remote_idle
  };
}

}  // namespace fermata::bench

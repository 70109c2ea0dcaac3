// The eight questions one asks of any async runtime, in the same form for all of them: one program,
// one test a run, one JSON line out. `run` beside it puts other runtimes' programs next to this
// one.
//
//   R1 spawn and join, one by one      R5 arm and drop a timer
//   R2 yield, 100 000 tasks            R6 call a coroutine, 1000 deep
//   R3a ping-pong over two queues      R7 TCP echo server on the port given
//   R3b one queue, 1024 items deep     R8 wake-ups from another thread
//   R4 a million tasks asleep
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "services/async/async.h"

namespace fermata {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double resident_bytes() {
  long total = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return static_cast<double>(resident) * 4096;
}

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) { return t.tv_sec + t.tv_usec / 1e6; };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

void print(const char* test, long n, double seconds, const std::string& more = "") {
  std::printf("{\"test\":\"%s\",\"n\":%ld,\"ops_s\":%g,\"ns\":%g,\"rss_MiB\":%g%s}\n", test, n,
              n / seconds, seconds / n * 1e9, resident_bytes() / 1048576, more.c_str());
}

std::string field(const char* name, double value) {
  char text[80];
  std::snprintf(text, sizeof(text), ",\"%s\":%g", name, value);
  return text;
}

// ---- R1, R2 -------------------------------------------------------------------------------------

Co<int> one() { co_return 1; }

Co<absl::Status> spawn_and_join(TaskGroup& group, long n) {
  for (long i = 0; i < n; ++i) {
    Task<int> task = group.spawn(&one);
    co_await task;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> r1() {
  const long n = 1000000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&spawn_and_join, n);
  print("R1", n, since(start));
  co_return status;
}

Co<void> yield_often(int times) {
  for (int i = 0; i < times; ++i) co_await yield_now();
}

Co<absl::Status> spawn_yielders(TaskGroup& group, long n) {
  for (long i = 0; i < n; ++i) group.spawn(&yield_often, 10);
  co_return absl::OkStatus();
}

Co<absl::Status> r2() {
  const long n = 100000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&spawn_yielders, n);
  print("R2", n * 10, since(start));
  co_return status;
}

// ---- R3 -----------------------------------------------------------------------------------------

Co<absl::Status> echo_items(Queue<long>* in, Queue<long>* out, long n) {
  for (long i = 0; i < n; ++i) {
    std::optional<long> item = co_await in->get();
    absl::Status put = co_await out->put(*item);
    if (!put.ok()) co_return put;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> ping(TaskGroup& group, long rounds) {
  Queue<long> there(1), back(1);
  Task<void> echo = group.spawn(&echo_items, &there, &back, rounds);
  for (long i = 0; i < rounds; ++i) {
    absl::Status put = co_await there.put(i);
    if (!put.ok()) co_return put;
    co_await back.get();
  }
  co_await echo;
  co_return absl::OkStatus();
}

Co<absl::Status> r3a() {
  const long n = 1000000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&ping, n / 2);
  print("R3a", n, since(start));
  co_return status;
}

Co<absl::Status> produce(Queue<long>* queue, long n) {
  for (long i = 0; i < n; ++i) {
    absl::Status put = co_await queue->put(i);
    if (!put.ok()) co_return put;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> consume(TaskGroup& group, long n) {
  Queue<long> queue(1024);
  Task<void> producer = group.spawn(&produce, &queue, n);
  for (long i = 0; i < n; ++i) co_await queue.get();
  co_await producer;
  co_return absl::OkStatus();
}

Co<absl::Status> r3b() {
  const long n = 5000000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&consume, n);
  print("R3b", n, since(start));
  co_return status;
}

// ---- R4, R5, R6 ---------------------------------------------------------------------------------

Co<void> nap(absl::Duration duration) { co_await sleep(duration); }

struct Asleep {
  double spawn_seconds = 0;
  double bytes = 0;
};

Co<absl::Status> put_to_sleep(TaskGroup& group, long n, Asleep* asleep) {
  const double before = resident_bytes();
  const Clock::time_point start = Clock::now();
  unsigned long random = 12345;
  for (long i = 0; i < n; ++i) {
    random = random * 6364136223846793005ul + 1442695040888963407ul;
    group.spawn(&nap, absl::Seconds(1) + absl::Nanoseconds((random >> 33) % 1000000000));
  }
  co_await yield_now();
  asleep->spawn_seconds = since(start);
  asleep->bytes = resident_bytes() - before;
  co_return absl::OkStatus();
}

Co<absl::Status> r4() {
  const long n = 1000000;
  Asleep asleep;
  const double cpu = cpu_seconds();
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&put_to_sleep, n, &asleep);
  const double wall = since(start);
  print("R4", n, wall,
        field("bytes_per_task", asleep.bytes / n) + field("cpu_s", cpu_seconds() - cpu) +
            field("wall_s", wall) + field("spawn_s", asleep.spawn_seconds));
  co_return status;
}

// A timer as every timeout uses it: armed far ahead, dropped long before it is due.
Co<absl::Status> r5() {
  const long n = 1000000;
  struct Never : Timer {
    Never() : Timer([](Timer&) noexcept {}) {}
  };
  const Clock::time_point start = Clock::now();
  for (int round = 0; round < 10; ++round) {
    std::vector<Never> timers(n / 10);
    Loop& loop = Loop::current();
    for (std::size_t i = 0; i < timers.size(); ++i) {
      loop.timers().arm(timers[i], loop.deadline_after(absl::Seconds(60)) + 100000 * long(i));
    }
    timers.clear();
    co_await yield_now();
  }
  print("R5", n, since(start));
  co_return absl::OkStatus();
}

Co<long> deep(int levels) {
  if (levels == 0) co_return 0;
  long below = co_await deep(levels - 1);
  co_return below + 1;
}

Co<absl::Status> r6() {
  const Clock::time_point start = Clock::now();
  long levels = 0;
  for (int i = 0; i < 1000; ++i) {
    long n = co_await deep(1000);
    levels += n;
  }
  print("R6", levels, since(start));
  co_return absl::OkStatus();
}

// ---- R7 -----------------------------------------------------------------------------------------

Co<void> echo_bytes(Descriptor peer) {
  std::vector<char> buffer(4096);
  for (;;) {
    const ssize_t got = recv(peer.fd(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      const std::size_t size = static_cast<std::size_t>(got);
      if (send(peer.fd(), buffer.data(), size, MSG_NOSIGNAL) != got) break;
      if (size == buffer.size()) continue;  // otherwise there was no more
    } else if (got == 0 || errno != EAGAIN) {
      break;
    }
    absl::Status ready = co_await peer.readable();
    if (!ready.ok()) break;
  }
}

Co<absl::Status> accept_peers(TaskGroup& group, Descriptor listener) {
  for (;;) {
    const int fd = accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      co_await Try(listener.readable());
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    group.spawn(&echo_bytes, Descriptor(fd));
  }
}

Co<absl::Status> r7(int port) {
  Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener.fd(), 128) != 0) {
    co_return absl::UnavailableError(std::strerror(errno));
  }
  std::printf("ready\n");
  std::fflush(stdout);
  co_return co_await with_group(&accept_peers, std::move(listener));
}

// ---- R8 -----------------------------------------------------------------------------------------

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

Co<absl::Status> r8() {
  Loop& loop = Loop::current();
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
  print("R8", n, seconds,
        field("wake_p50_us", latencies[wakes / 2]) +
            field("wake_p99_us", latencies[wakes * 99 / 100]));
  co_return absl::OkStatus();
}

Co<absl::Status> unknown() {
  co_return absl::InvalidArgumentError("usage: runtime R1|R2|R3a|R3b|R4|R5|R6|R7 PORT|R8");
}

Co<absl::Status> choose(const std::string& test, int port) {
  if (test == "R1") return r1();
  if (test == "R2") return r2();
  if (test == "R3a") return r3a();
  if (test == "R3b") return r3b();
  if (test == "R4") return r4();
  if (test == "R5") return r5();
  if (test == "R6") return r6();
  if (test == "R7") return r7(port);
  if (test == "R8") return r8();
  return unknown();
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "";
  const absl::Status status = fermata::run(fermata::choose(test, argc > 2 ? atoi(argv[2]) : 0));
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

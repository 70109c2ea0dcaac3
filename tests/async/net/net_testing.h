// Running one scenario on simulated networks of many seeds, and on real sockets.
//
// A scenario is a coroutine function without arguments; it makes its streams with listen(),
// connect() and stream_pair(), which ask the loop's network.
#ifndef TESTS_ASYNC_NET_NET_TESTING_H_
#define TESTS_ASYNC_NET_NET_TESTING_H_

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/net/network.h"
#include "services/async/net/sim_network.h"
#include "services/async/net/socket.h"
#include "tests/async/loops.h"
#include "tests/async/sim.h"

namespace fermata {

template <class F>
void on_sim_network(std::uint64_t seed, const SimFaults& faults, F scenario) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::int64_t before = frame_pool_stats().live;
  {
    SimLoop loop(seed);
    SimNetwork network(loop, seed, faults);
    EXPECT_EQ(loop.run(scenario), absl::OkStatus());
  }
  EXPECT_EQ(frame_pool_stats().live, before) << "frames leaked";
  EXPECT_EQ(Counted::live, 0) << "objects leaked";
}

template <class F>
void on_sim_networks(F scenario, std::uint64_t seeds = kSeeds) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    on_sim_network(seed, seed == 0 ? SimFaults() : SimFaults::rough(seed), scenario);
    if (::testing::Test::HasFailure()) return;
  }
}

// Under every loop that waits in the kernel: io_uring too, where this machine has it.
template <class F>
void on_real_sockets(F scenario) {
  for (const LoopKind kind : loops_here()) {
    SCOPED_TRACE(std::string("on real sockets, ") + name_of(kind));
    std::unique_ptr<KernelLoop> loop = make_loop(kind);
    EXPECT_STREQ(loop->kind(), name_of(kind));
    EXPECT_EQ(loop->run(scenario), absl::OkStatus());
  }
}

template <class F>
void on_every_network(F scenario) {
  on_sim_networks(scenario);
  on_real_sockets(scenario);
}

// Two streams that are connected to each other.
inline std::pair<Stream, Stream> stream_pair() {
  if (Network* network = Loop::current().network) {
    return static_cast<SimNetwork*>(network)->pair();
  }
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  absl::StatusOr<Stream> a = stream_from_socket(Descriptor(fds[0]));
  absl::StatusOr<Stream> b = stream_from_socket(Descriptor(fds[1]));
  return {*std::move(a), *std::move(b)};
}

// A directory that is removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const char* base = std::getenv("TEST_TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/fermata-XXXXXX";
    // The path of a socket has about a hundred bytes.
    if (path_.size() > 60) path_ = "/tmp/fermata-XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    for (const std::string& name : files_) unlink((path_ + "/" + name).c_str());
    EXPECT_EQ(rmdir(path_.c_str()), 0) << path_ << " has files left";
  }
  // A path in it; the file is removed in the end if it is there.
  std::string file(const std::string& name) {
    files_.push_back(name);
    return path_ + "/" + name;
  }
  // A path in it that must be gone in the end.
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

}  // namespace fermata

#endif  // TESTS_ASYNC_NET_NET_TESTING_H_

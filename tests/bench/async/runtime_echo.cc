// R7 a TCP echo server, until it is killed: streams, as a server of ours would be written.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "services/async/net/listener.h"
#include "services/async/net/network.h"
#include "services/async/net/stream.h"
#include "tests/bench/async/runtime.h"

namespace fermata::bench {
namespace {

Co<void> echo_bytes(Stream peer) {
  std::vector<char> buffer(4096);
  for (;;) {
    absl::StatusOr<std::size_t> got = co_await peer.read_some(buffer);
    if (!got.ok() || *got == 0) co_return;
    absl::Status sent = co_await peer.write(std::string_view(buffer.data(), *got));
    if (!sent.ok()) co_return;
  }
}

Co<absl::Status> accept_peers(TaskGroup& group, Listener* listener) {
  for (;;) {
    Stream peer = co_await Try(listener->accept());
    group.spawn(&echo_bytes, std::move(peer));
  }
}

}  // namespace

Co<absl::Status> r7(int port) {
  absl::StatusOr<Listener> listener = listen(Address::loopback(static_cast<std::uint16_t>(port)));
  if (!listener.ok()) co_return listener.status();
  std::printf("ready\n");
  std::fflush(stdout);
  co_return co_await with_group(&accept_peers, &*listener);
}

}  // namespace fermata::bench

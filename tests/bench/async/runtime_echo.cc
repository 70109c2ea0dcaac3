// R7 a TCP echo server, until it is killed.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "tests/bench/async/runtime.h"

namespace fermata::bench {
namespace {

Co<void> echo_bytes(Descriptor peer) {
  std::vector<char> buffer(4096);
  for (;;) {
    const ssize_t got = recv(peer.fd(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      const std::size_t bytes = static_cast<std::size_t>(got);
      if (send(peer.fd(), buffer.data(), bytes, MSG_NOSIGNAL) != got) co_return;
      // A full buffer: there may be more, and no news of it.
      if (bytes == buffer.size()) continue;
    } else if (got == 0 || errno != EAGAIN) {
      co_return;
    }
    absl::Status ready = co_await peer.readable();
    if (!ready.ok()) co_return;
  }
}

Co<absl::Status> accept_peers(TaskGroup& group, Descriptor* listener) {
  for (;;) {
    const int fd = accept4(listener->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      co_await Try(listener->readable());
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    group.spawn(&echo_bytes, Descriptor(fd));
  }
}

}  // namespace

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
  co_return co_await with_group(&accept_peers, &listener);
}

}  // namespace fermata::bench

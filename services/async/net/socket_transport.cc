#include "services/async/net/socket_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace fermata {

Address peer_of(int fd) {
  sockaddr_storage raw{};
  socklen_t length = sizeof raw;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&raw), &length) != 0) return Address();
  return Address::from_sockaddr(raw, length);
}

Address local_of(int fd) {
  sockaddr_storage raw{};
  socklen_t length = sizeof raw;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &length) != 0) return Address();
  return Address::from_sockaddr(raw, length);
}

std::ptrdiff_t SocketTransport::try_recv(std::span<char> into) noexcept {
  if (drained_) return -EAGAIN;
  ssize_t got = -1;
  do {
    got = recv(socket_.fd(), into.data(), into.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return -errno;
  // Not at the end of the stream, where every read says so.
  drained_ = got > 0 && static_cast<std::size_t>(got) < into.size();
  return got;
}

std::ptrdiff_t SocketTransport::try_send(std::string_view bytes) noexcept {
  if (filled_) return -EAGAIN;
  ssize_t sent = -1;
  do {
    sent = send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return -errno;
  filled_ = static_cast<std::size_t>(sent) < bytes.size();
  return sent;
}

bool SocketTransport::send_soon(IoWatch& watch, std::string_view bytes) noexcept {
  if (filled_) return false;
  watch.fd = socket_.fd();
  return Loop::current().send_soon(watch, bytes);
}

int SocketTransport::watch_ready(IoWatch& watch) noexcept {
  (watch.interest == IoWatch::Interest::kRead ? drained_ : filled_) = false;
  return socket_.watch(watch);
}

int SocketTransport::shutdown_write() noexcept {
  return shutdown(socket_.fd(), SHUT_WR) == 0 ? 0 : errno;
}

int SocketTransport::set_no_delay(bool on) noexcept {
  if (peer_.is_unix()) return 0;
  const int value = on ? 1 : 0;
  return setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) == 0 ? 0 : errno;
}

}  // namespace fermata

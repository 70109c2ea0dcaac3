#include "services/async/net/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/descriptor.h"
#include "services/async/net/io_error.h"
#include "services/async/net/socket_transport.h"
#include "services/async/try.h"

namespace fermata {
namespace {

Descriptor make_socket(const Address& address) noexcept {
  return Descriptor(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int connect_to(int fd, const Address& address) noexcept {
  sockaddr_storage raw;
  const socklen_t length = address.to_sockaddr(raw);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&raw), length) == 0 ? 0 : errno;
}

int bind_to(int fd, const Address& address) noexcept {
  sockaddr_storage raw;
  const socklen_t length = address.to_sockaddr(raw);
  return bind(fd, reinterpret_cast<const sockaddr*>(&raw), length) == 0 ? 0 : errno;
}

void set_option(int fd, int level, int option) noexcept {
  const int on = 1;
  (void)setsockopt(fd, level, option, &on, sizeof on);
}

// Which file a path means: another one may have been put in its place.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

FileId file_at(const std::string& path) noexcept {
  struct stat found{};
  if (lstat(path.c_str(), &found) != 0) return FileId();
  return FileId{found.st_dev, found.st_ino};
}

class SocketAcceptor final : public Acceptor {
 public:
  SocketAcceptor(Descriptor socket, Address local, FileId file) noexcept
      : socket_(std::move(socket)), local_(std::move(local)), file_(file) {}
  ~SocketAcceptor() override {
    if (local_.is_unix() && file_at(local_.path()) == file_) unlink(local_.path().c_str());
  }

  int try_accept(std::unique_ptr<Transport>& accepted) noexcept override {
    sockaddr_storage raw{};
    socklen_t length = sizeof raw;
    Descriptor peer(accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&raw), &length,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!peer.is_open()) return errno;
    // TCP_NODELAY was inherited from the listening socket.
    accepted =
        std::make_unique<SocketTransport>(std::move(peer), Address::from_sockaddr(raw, length));
    return 0;
  }
  const Address& local() const noexcept override { return local_; }
  int fd() const noexcept { return socket_.fd(); }

 private:
  int watch_ready(IoWatch& watch) noexcept override { return socket_.watch(watch); }
  void unwatch_ready(IoWatch& watch) noexcept override { Loop::current().unwatch(watch); }

  Descriptor socket_;
  Address local_;
  FileId file_;
};

// The socket file of a server that ended without removing it: nobody answers. Anything else stays.
bool remove_stale_file(const Address& address) noexcept {
  struct stat found{};
  if (lstat(address.path().c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
  const Descriptor probe = make_socket(address);
  if (!probe.is_open() || connect_to(probe.fd(), address) != ECONNREFUSED) return false;
  return unlink(address.path().c_str()) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> listen_socket(const Address& address,
                                                        const ListenOptions& options) {
  const std::string what = absl::StrCat("listen at ", address.to_string());
  Descriptor socket = make_socket(address);
  if (!socket.is_open()) return io_error(errno, what);
  if (!address.is_unix()) {
    if (options.reuse_address) set_option(socket.fd(), SOL_SOCKET, SO_REUSEADDR);
    if (options.reuse_port) set_option(socket.fd(), SOL_SOCKET, SO_REUSEPORT);
    set_option(socket.fd(), IPPROTO_TCP, TCP_NODELAY);
  }
  int error = bind_to(socket.fd(), address);
  if (error == EADDRINUSE && address.is_unix() && remove_stale_file(address)) {
    error = bind_to(socket.fd(), address);
  }
  if (error != 0) {
    return io_error(error, absl::StrCat(what, error == EADDRINUSE
                                                  ? " (end the other server, or choose another one)"
                                                  : ""));
  }
  const FileId file = address.is_unix() ? file_at(address.path()) : FileId();
  Address local = local_of(socket.fd());
  // From here on the acceptor removes the file, whatever happens.
  auto acceptor = std::make_unique<SocketAcceptor>(std::move(socket), std::move(local), file);
  if (::listen(acceptor->fd(), options.backlog) != 0) return io_error(errno, what);
  return acceptor;
}

Co<absl::StatusOr<Stream>> connect_socket(Address address) {
  Descriptor socket = make_socket(address);
  int error = socket.is_open() ? connect_to(socket.fd(), address) : errno;
  if (error == EINPROGRESS || error == EINTR) {
    co_await Try(socket.writable());
    socklen_t length = sizeof error;
    if (getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  }
  if (error == EAGAIN) {
    // Of Unix sockets only, and there is no waiting for it.
    co_return absl::UnavailableError(absl::StrCat("cannot connect to ", address.to_string(),
                                                  ": its backlog is full; try again later"));
  }
  if (error != 0) {
    co_return io_error(error, absl::StrCat("connect to ", address.to_string()));
  }
  if (!address.is_unix()) set_option(socket.fd(), IPPROTO_TCP, TCP_NODELAY);
  co_return Stream(std::make_unique<SocketTransport>(std::move(socket), std::move(address)));
}

absl::StatusOr<Stream> stream_from_socket(Descriptor socket) {
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
    return io_error(errno, absl::StrCat("make a stream of descriptor ", socket.fd()));
  }
  if (type != SOCK_STREAM) {
    return absl::InvalidArgumentError(absl::StrCat("expected a stream socket (type ", SOCK_STREAM,
                                                   "); descriptor ", socket.fd(), " has type ",
                                                   type));
  }
  const int flags = fcntl(socket.fd(), F_GETFL);
  if (flags < 0 || fcntl(socket.fd(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return io_error(errno, "make a socket non-blocking");
  }
  Address peer = peer_of(socket.fd());
  return Stream(std::make_unique<SocketTransport>(std::move(socket), std::move(peer)));
}

}  // namespace fermata

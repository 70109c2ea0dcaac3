#include "services/frontend/front_door.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <functional>

#include "services/config/str_cat.h"

namespace fermata::frontend {
namespace {

using grpc::experimental::ExternalConnectionAcceptor;

constexpr size_t kMaxAddresses = 8;

absl::Status cannot(const std::string& address, std::string_view why) {
  return absl::UnavailableError(
      str_cat("listen: cannot listen on ", address, ": ", why,
              "; expected host:port of this machine, or unix:/path, that nobody else listens on; "
              "is another fermatad running?"));
}

absl::Status cannot_here(const std::string& address, int error) {
  return cannot(address, std::strerror(error));
}

int descriptors_for_connections() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return INT_MAX;
  return static_cast<int>(static_cast<double>(limit.rlim_cur) * FrontDoor::kShare);
}

// Whether somebody answers at this Unix socket; one that nobody answers at was left by a crash.
bool is_alive(const sockaddr_un& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const int got = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool alive = got == 0 || errno == EAGAIN || errno == EINPROGRESS;
  ::close(probe);
  return alive;
}

void set(int socket, int level, int option) {
  const int on = 1;
  ::setsockopt(socket, level, option, &on, sizeof on);
}

void set_port(sockaddr* address, int port) {
  const auto value = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET) reinterpret_cast<sockaddr_in*>(address)->sin_port = value;
  if (address->sa_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(address)->sin6_port = value;
}

int port_of(int socket) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return address.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port)
                                       : ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// The peer's fault, or nobody's; the next one may be fine. accept(2), "Error handling".
bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrontDoor>> FrontDoor::open(const std::string& address) {
  std::unique_ptr<FrontDoor> door(new FrontDoor());
  door->limit_ = descriptors_for_connections();
  const absl::Status status = address.compare(0, 5, "unix:") == 0
                                  ? door->open_unix(address.substr(5))
                                  : door->open_hosts(address);
  if (!status.ok()) return status;
  return door;
}

FrontDoor::~FrontDoor() {
  for (const int socket : sockets_) ::close(socket);
  if (!path_.empty()) ::unlink(path_.c_str());
}

absl::Status FrontDoor::open_unix(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return cannot("unix:" + path, "the path has to have 1 to 107 bytes");
  }
  path.copy(address.sun_path, path.size());
  struct stat found = {};
  if (::stat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) {
    if (is_alive(address)) return cannot_here("unix:" + path, EADDRINUSE);
    ::unlink(path.c_str());
  }
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return cannot_here("unix:" + path, errno);
  sockets_.push_back(socket);
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket, kBacklog) != 0) {
    return cannot_here("unix:" + path, errno);
  }
  path_ = path;
  return absl::OkStatus();
}

absl::Status FrontDoor::open_hosts(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return cannot(address, "there is no port in it");
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) return cannot(address, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(found, &::freeaddrinfo);
  for (addrinfo* at = found; at != nullptr && sockets_.size() < kMaxAddresses; at = at->ai_next) {
    const int socket =
        ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    // A name may have an IPv6 address where there is no IPv6.
    if (socket < 0 && errno == EAFNOSUPPORT) continue;
    if (socket < 0) return cannot_here(address, errno);
    sockets_.push_back(socket);
    // No SO_REUSEPORT: a second server would start, and take half of the clients.
    set(socket, SOL_SOCKET, SO_REUSEADDR);
    set(socket, IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
    if (port_ != 0) set_port(at->ai_addr, port_);
    const bool more = at->ai_next != nullptr || sockets_.size() > 1;
    if (::bind(socket, at->ai_addr, at->ai_addrlen) != 0) {
      if (errno != EADDRNOTAVAIL || !more) return cannot_here(address, errno);
      ::close(socket);
      sockets_.pop_back();
      continue;
    }
    if (::listen(socket, kBacklog) != 0) return cannot_here(address, errno);
    if (port_ == 0) port_ = port_of(socket);
  }
  return sockets_.empty() ? cannot_here(address, EADDRNOTAVAIL) : absl::OkStatus();
}

void FrontDoor::start(TaskGroup& group, ExternalConnectionAcceptor& grpc) {
  for (const int socket : sockets_) {
    group.spawn_named("accept", &FrontDoor::accept_from, std::ref(*this), socket, std::ref(grpc));
  }
}

Co<void> FrontDoor::accept_from(FrontDoor& door, int socket, ExternalConnectionAcceptor& grpc) {
  while (true) {
    const absl::Status ready = co_await readable(socket);
    const bool room = ready.ok() && door.accept_all(socket, grpc);
    if (room) continue;
    ++door.counters_.pauses;
    co_await sleep(kPause);
  }
}

bool FrontDoor::accept_all(int socket, ExternalConnectionAcceptor& grpc) {
  // Not for ever: others want the loop, too.
  constexpr int kAtOnce = 64;
  for (int i = 0; i < kAtOnce; ++i) {
    const int peer = ::accept4(socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer < 0) {
      if (is_shortage(errno)) return false;
      if (errno == EAGAIN) return true;
      continue;
    }
    if (peer >= limit_) {
      ++counters_.turned_away;
      ::close(peer);
      continue;
    }
    ++counters_.accepted;
    ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = socket;
    connection.fd = peer;
    grpc.HandleNewConnection(&connection);
  }
  return true;
}

}  // namespace fermata::frontend

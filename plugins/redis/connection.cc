#include "plugins/redis/connection.h"

#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "services/async/net/io_error.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::redis {
namespace {

constexpr std::size_t kChunkBytes = 16 << 10;

// A command in Redis' protocol.
std::string encode(const std::vector<std::string>& command) {
  std::vector<const char*> parts;
  std::vector<std::size_t> sizes;
  for (const std::string& part : command) {
    parts.push_back(part.data());
    sizes.push_back(part.size());
  }
  char* text = nullptr;
  const int size =
      redisFormatCommandArgv(&text, static_cast<int>(parts.size()), parts.data(), sizes.data());
  if (size < 0) return "";
  std::string out(text, static_cast<std::size_t>(size));
  redisFreeCommand(text);
  return out;
}

}  // namespace

Co<absl::Status> Connection::connect(const Address& address) {
  const int family = address.family();
  socket_ = Descriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_.is_open()) co_return io_error(errno, "make a socket");
  sockaddr_storage raw;
  const socklen_t length = address.to_sockaddr(raw);
  int error =
      ::connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&raw), length) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    const absl::Status ready = co_await socket_.writable();
    if (!ready.ok()) co_return ready;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0) {
    // A Unix socket that is not there, and EAGAIN (its backlog is full), are a server that is down.
    co_return absl::UnavailableError(
        io_error(error, str_cat("connect to redis at ", address.to_string())).message());
  }
  const int on = 1;
  if (!address.is_unix()) {
    (void)::setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)::setsockopt(socket_.fd(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> Connection::sign_in(const Config& config) {
  std::vector<std::vector<std::string>> commands;
  if (!config.username.empty()) {
    commands.push_back({"AUTH", config.username, config.password});
  } else if (!config.password.empty()) {
    commands.push_back({"AUTH", config.password});
  }
  if (config.database != 0) commands.push_back({"SELECT", str_cat(config.database)});
  for (const std::vector<std::string>& command : commands) {
    std::unique_ptr<Reply> reply = co_await Try(ask(command, config.reply_bytes_max));
    if (reply->kind == Reply::Kind::kError) co_return status_of_error(command[0], reply->text);
  }
  co_return absl::OkStatus();
}

Co<absl::StatusOr<std::unique_ptr<Connection>>> Connection::make(const Config& config,
                                                                 Resolver& resolver) {
  std::vector<Address> addresses;
  if (!config.unix_path.empty()) {
    const absl::StatusOr<Address> address = Address::from_path(config.unix_path);
    if (!address.ok()) co_return address.status();
    addresses.push_back(*address);
  } else {
    addresses = co_await Try(resolver.resolve(config.host, config.port));
  }
  absl::Status failure;
  for (const Address& address : addresses) {
    std::unique_ptr<Connection> connection(new Connection(config.address));
    absl::Status status = co_await connection->connect(address);
    if (status.ok()) {
      status = co_await connection->sign_in(config);
      if (status.ok()) co_return std::move(connection);
      co_return status;
    }
    if (failure.ok()) failure = status;
  }
  co_return failure;
}

Co<absl::StatusOr<std::unique_ptr<Connection>>> Connection::open(const Config& config,
                                                                 Resolver& resolver) {
  absl::StatusOr<std::unique_ptr<Connection>> made =
      co_await timeout(config.connect_timeout, make(config, resolver));
  if (made.ok() || !absl::IsDeadlineExceeded(made.status())) co_return std::move(made);
  co_return absl::UnavailableError(str_cat("redis at ", config.address, ": no connection after ",
                                           format_duration(config.connect_timeout),
                                           " (connect_timeout)"));
}

Co<absl::Status> Connection::send(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    socket_.clear_news(IoWatch::Interest::kWrite);
    const ssize_t got =
        ::send(socket_.fd(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (got > 0) {
      sent += static_cast<std::size_t>(got);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return io_error(errno, str_cat("write to redis at ", address_));
    const absl::Status ready = co_await socket_.writable();
    if (!ready.ok()) co_return ready;
  }
  co_return absl::OkStatus();
}

Co<absl::StatusOr<std::unique_ptr<Reply>>> Connection::ask(const std::vector<std::string>& command,
                                                           std::uint64_t reply_bytes_max) {
  const std::string bytes = encode(command);
  if (bytes.empty()) co_return absl::InternalError("redis: a command could not be encoded");
  co_await Try(send(bytes));
  reader_.expect(reply_bytes_max);
  std::string chunk(kChunkBytes, '\0');
  for (;;) {
    socket_.clear_news(IoWatch::Interest::kRead);
    const ssize_t got = ::recv(socket_.fd(), chunk.data(), chunk.size(), 0);
    if (got > 0) {
      absl::StatusOr<std::unique_ptr<Reply>> reply =
          reader_.feed(std::string_view(chunk).substr(0, static_cast<std::size_t>(got)));
      if (!reply.ok() || *reply != nullptr) co_return std::move(reply);
      continue;
    }
    if (got == 0) {
      co_return absl::UnavailableError(
          str_cat("redis at ", address_, " closed the connection before it answered ", command[0]));
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return io_error(errno, str_cat("read from redis at ", address_));
    const absl::Status ready = co_await socket_.readable();
    if (!ready.ok()) co_return ready;
  }
}

bool Connection::usable() const {
  char byte = 0;
  return reader_.drained() && ::recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace fermata::redis

#include "services/async/net/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <sys/select.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/async/event.h"
#include "services/async/io.h"
#include "services/async/net/network.h"
#include "services/async/task_group.h"
#include "services/async/timeout.h"
#include "services/async/try.h"

namespace fermata {
namespace {

constexpr absl::Duration kStagger = absl::Milliseconds(250);

bool library_ready() {
  static const bool ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  return ready;
}

absl::Status dns_error(int error, const std::string& host) {
  const std::string message = absl::StrCat("cannot resolve '", host, "': ", ares_strerror(error));
  switch (error) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
      return absl::NotFoundError(message);
    case ARES_EBADNAME:
      return absl::InvalidArgumentError(message);
    default:
      return absl::UnavailableError(message);
  }
}

// One query. Shared with c-ares, which calls back exactly once, maybe long after the awaiting
// frame is gone.
struct Query {
  std::vector<Address> addresses;
  int error = ARES_SUCCESS;
  Event done;
};

void on_answer(void* query, int error, int, ares_addrinfo* answer) {
  const std::unique_ptr<std::shared_ptr<Query>> held(static_cast<std::shared_ptr<Query>*>(query));
  Query& result = **held;
  result.error = error;
  for (auto* node = answer != nullptr ? answer->nodes : nullptr; node != nullptr;
       node = node->ai_next) {
    sockaddr_storage raw{};
    std::memcpy(&raw, node->ai_addr, node->ai_addrlen);
    result.addresses.push_back(Address::from_sockaddr(raw, node->ai_addrlen));
  }
  if (answer != nullptr) ares_freeaddrinfo(answer);
  result.done.set();
}

}  // namespace

struct Resolver::Channel {
  ~Channel() {
    if (channel != nullptr) ares_destroy(channel);
  }

  // Waits for one of c-ares' sockets, its time, or `done`, which another query's turn may set; then
  // lets it work.
  static Co<absl::Status> drive(Channel* self, Event& done) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int bits = ares_getsock(self->channel, sockets.data(), ARES_GETSOCK_MAXNUM);
    timeval room{};
    timeval longest{1, 0};  // looks again then, whatever happens
    const timeval* wait = ares_timeout(self->channel, &longest, &room);
    const absl::Duration limit = absl::DurationFromTimeval(*wait);
    absl::Status ready = co_await timeout(limit, any_ready(sockets, bits, done));
    if (!ready.ok() && !absl::IsDeadlineExceeded(ready)) co_return ready;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      const auto index = static_cast<std::size_t>(i);
      const bool reads = ARES_GETSOCK_READABLE(bits, i);
      const bool writes = ARES_GETSOCK_WRITABLE(bits, i);
      if (!reads && !writes) continue;
      ares_process_fd(self->channel, reads ? sockets[index] : ARES_SOCKET_BAD,
                      writes ? sockets[index] : ARES_SOCKET_BAD);
    }
    ares_process_fd(self->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // its timeouts
    co_return absl::OkStatus();
  }

  using Sockets = std::array<ares_socket_t, ARES_GETSOCK_MAXNUM>;
  static Co<absl::Status> any_ready(const Sockets& sockets, int bits, Event& done) {
    co_return co_await with_group(&wait_for_sockets, sockets, bits, done);
  }
  static Co<void> wait_for(TaskGroup& group, int fd, bool write) {
    if (write) {
      (void)co_await writable(fd);
    } else {
      (void)co_await readable(fd);
    }
    group.cancel();
  }
  static Co<void> wait_for_sockets(TaskGroup& group, const Sockets& sockets, int bits,
                                   Event& done) {
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      const int fd = sockets[static_cast<std::size_t>(i)];
      if (ARES_GETSOCK_READABLE(bits, i)) group.spawn(&wait_for, std::ref(group), fd, false);
      if (ARES_GETSOCK_WRITABLE(bits, i)) group.spawn(&wait_for, std::ref(group), fd, true);
    }
    co_await done.wait();
    group.cancel();
  }

  ares_channel channel = nullptr;
};

Resolver::Resolver(std::unique_ptr<Channel> channel) noexcept : channel_(std::move(channel)) {}
Resolver::Resolver(Resolver&&) noexcept = default;
Resolver::~Resolver() = default;

absl::StatusOr<Resolver> Resolver::make(const ResolverOptions& options) {
  if (!library_ready()) return absl::InternalError("c-ares cannot be initialised");
  auto channel = std::make_unique<Channel>();
  ares_options raw{};
  raw.timeout = static_cast<int>(absl::ToInt64Milliseconds(options.timeout));
  raw.tries = options.tries;
  int error = ares_init_options(&channel->channel, &raw, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
  if (error == ARES_SUCCESS && !options.servers.empty()) {
    error = ares_set_servers_ports_csv(channel->channel, options.servers.c_str());
  }
  if (error != ARES_SUCCESS) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected name servers such as 1.1.1.1:53; got '", options.servers,
                     "': ", ares_strerror(error)));
  }
  return Resolver(std::move(channel));
}

Co<absl::StatusOr<std::vector<Address>>> Resolver::resolve(std::string host, std::uint16_t port) {
  absl::StatusOr<Address> literal = Address::from_ip(host, port);
  if (literal.ok()) co_return std::vector<Address>(1, *literal);
  if (host == "localhost") co_return std::vector<Address>(1, Address::loopback(port));
  Network* network = Loop::current().network;
  if (network != nullptr) co_return co_await network->resolve(std::move(host), port);
  auto query = std::make_shared<Query>();
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = ARES_AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  const std::string service = absl::StrCat(port);
  ares_getaddrinfo(channel_->channel, host.c_str(), service.c_str(), &hints, &on_answer,
                   new std::shared_ptr<Query>(query));
  // Any query may drive the channel; each looks after its own answer.
  while (!query->done.is_set()) co_await Try(Channel::drive(channel_.get(), query->done));
  if (query->error != ARES_SUCCESS) co_return dns_error(query->error, host);
  if (query->addresses.empty()) co_return dns_error(ARES_ENODATA, host);
  co_return std::move(query->addresses);
}

namespace {

struct Attempts {
  std::optional<Stream> connected;
  absl::Status first_failure;
  std::size_t failed = 0;
  Event failure;
};

Co<void> attempt(TaskGroup& group, Attempts& all, Address address) {
  absl::StatusOr<Stream> stream = co_await connect(std::move(address));
  if (!stream.ok()) {
    if (all.failed++ == 0) all.first_failure = stream.status();
    all.failure.set();
    co_return;
  }
  if (!all.connected) all.connected = *std::move(stream);
  group.cancel();
}

Co<void> begin_in_turn(TaskGroup& group, Attempts& all, const std::vector<Address>& addresses) {
  for (const Address& address : addresses) {
    all.failure.clear();
    group.spawn_named("connect", attempt, std::ref(group), std::ref(all), address);
    (void)co_await timeout(kStagger, all.failure.wait());
  }
}

}  // namespace

Co<absl::StatusOr<Stream>> connect(Resolver& resolver, std::string host, std::uint16_t port) {
  std::vector<Address> addresses = co_await Try(resolver.resolve(std::move(host), port));
  Attempts all;
  co_await Try(with_group(begin_in_turn, all, addresses));
  if (all.connected) co_return *std::move(all.connected);
  co_return all.first_failure;
}

}  // namespace fermata

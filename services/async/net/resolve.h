// Resolver: names to addresses, with c-ares on the loop. asyncio's getaddrinfo, without a thread.
//
//   absl::StatusOr<std::vector<Address>> addresses = co_await resolver.resolve("example.org", 443);
//   Stream stream = co_await Try(connect(resolver, "example.org", 443));
//
// One channel per loop, owned by this object, which outlives its queries. c-ares keeps the server
// list and the retries, and caches nothing; the loop gives it the readiness of its sockets and the
// time. Literal addresses and "localhost" ask nobody. On a loop with a Network, that is asked
// instead. Loop thread only.
#ifndef SERVICES_ASYNC_NET_RESOLVE_H_
#define SERVICES_ASYNC_NET_RESOLVE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/async/net/address.h"
#include "services/async/net/stream.h"

namespace fermata {

struct ResolverOptions {
  ResolverOptions() {}
  std::string servers;                        // "1.1.1.1:53,…"; empty: those of this machine
  absl::Duration timeout = absl::Seconds(2);  // of one try at one server
  int tries = 3;
};

class Resolver {
 public:
  static absl::StatusOr<Resolver> make(const ResolverOptions& options = ResolverOptions());
  Resolver(Resolver&&) noexcept;
  ~Resolver();

  // Wakes with at least one address, best first. NotFound: no such name. Unavailable: no server
  // gave a usable answer. On cancel: at once, an answer that comes later is dropped. On shutdown:
  // as cancelled.
  Co<absl::StatusOr<std::vector<Address>>> resolve(std::string host, std::uint16_t port);

 private:
  struct Channel;
  explicit Resolver(std::unique_ptr<Channel> channel) noexcept;
  std::unique_ptr<Channel> channel_;
};

// Resolves, and tries the addresses in turn: the next one begins when the last has failed, or 250
// ms after it began. Wakes with the first that connects, or with the first failure when all have
// failed. On cancel: at once. On shutdown: as cancelled.
Co<absl::StatusOr<Stream>> connect(Resolver& resolver, std::string host, std::uint16_t port);

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_RESOLVE_H_

// listen, connect: how streams come to be. And Network, the seam behind them.
//
//   Listener listener = co_await Try(…)  is  absl::StatusOr<Listener> listen(address);
//   Stream stream = co_await Try(connect(address));
//
// Both ask the loop's Network first (Loop::network; none: the kernel's sockets), so a program that
// listens and connects through them runs on SimNetwork as it is: same code, no socket, any fault.
#ifndef SERVICES_ASYNC_NET_NETWORK_H_
#define SERVICES_ASYNC_NET_NETWORK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/co.h"
#include "services/async/net/address.h"
#include "services/async/net/listener.h"
#include "services/async/net/stream.h"

namespace fermata {

// Stands in for the kernel's network on one loop. Outlives every stream and listener it made.
class Network {
 public:
  virtual ~Network() = default;
  virtual absl::StatusOr<std::unique_ptr<Acceptor>> listen(const Address& address,
                                                           const ListenOptions& options) = 0;
  virtual Co<absl::StatusOr<Stream>> connect(Address address) = 0;
  virtual Co<absl::StatusOr<std::vector<Address>>> resolve(std::string host,
                                                           std::uint16_t port) = 0;
};

// Does not wait. Port 0 lets the system choose: see Listener::local(). The file of a Unix socket is
// made, and removed with the listener; one that a dead server left behind is replaced, one that
// somebody answers at is AlreadyExists.
absl::StatusOr<Listener> listen(const Address& address,
                                const ListenOptions& options = ListenOptions());

// Wakes when the connection is made, or cannot be: Unavailable. Without a limit of its own the
// kernel's is about two minutes, so put timeout() around it. On cancel: at once. On shutdown: as
// cancelled.
Co<absl::StatusOr<Stream>> connect(Address address);

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_NETWORK_H_

#include "services/async/net/network.h"

#include <utility>

#include "services/async/loop.h"
#include "services/async/net/socket.h"

namespace fermata {

absl::StatusOr<Listener> listen(const Address& address, const ListenOptions& options) {
  Network* network = Loop::current().network;
  absl::StatusOr<std::unique_ptr<Acceptor>> acceptor =
      network != nullptr ? network->listen(address, options) : listen_socket(address, options);
  if (!acceptor.ok()) return std::move(acceptor).status();
  return Listener(*std::move(acceptor));
}

Co<absl::StatusOr<Stream>> connect(Address address) {
  Network* network = Loop::current().network;
  if (network == nullptr) return connect_socket(std::move(address));
  return network->connect(std::move(address));
}

}  // namespace fermata

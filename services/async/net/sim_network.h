// SimNetwork: the network of a simulated loop. listen() and connect() on that loop use it, so the
// very program that serves real sockets runs without one, in virtual time, with every fault drawn
// from a seed:
//
//   SimLoop loop(seed);
//   SimNetwork network(loop, seed, SimFaults::rough(seed));
//   absl::Status status = loop.run(server_and_clients);
//
// A deadlock between peers that both wait for bytes is a test result, as every other on SimLoop.
// Names are resolved to what add_host() said. It must outlive its streams: make it before run().
#ifndef SERVICES_ASYNC_NET_SIM_NETWORK_H_
#define SERVICES_ASYNC_NET_SIM_NETWORK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/net/network.h"
#include "services/async/net/sim_faults.h"

namespace fermata {

class SimAcceptor;
struct SimWorld;

class SimNetwork final : public Network {
 public:
  // Becomes loop.network until it goes.
  SimNetwork(Loop& loop, std::uint64_t seed, const SimFaults& faults = SimFaults());
  SimNetwork(const SimNetwork&) = delete;
  ~SimNetwork() override;

  // "name" then resolves to these IP addresses, in this order.
  void add_host(std::string name, std::vector<Address> addresses);
  // Draws from now on according to these.
  void set_faults(const SimFaults& faults);
  std::uint64_t resets() const noexcept;       // connections that were broken so far
  std::uint64_t connections() const noexcept;  // that were made so far

  // Two streams that are connected to each other, without a listener.
  std::pair<Stream, Stream> pair();

  absl::StatusOr<std::unique_ptr<Acceptor>> listen(const Address& address,
                                                   const ListenOptions& options) override;
  Co<absl::StatusOr<Stream>> connect(Address address) override;
  Co<absl::StatusOr<std::vector<Address>>> resolve(std::string host, std::uint16_t port) override;

 private:
  friend class SimAcceptor;
  SimAcceptor* acceptor_for(const Address& address);

  Loop& loop_;
  std::shared_ptr<SimWorld> world_;
  std::map<Address, SimAcceptor*> acceptors_;
  std::map<std::string, std::vector<Address>> hosts_;
  std::uint64_t connections_ = 0;
  std::uint16_t next_port_ = 49152;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_SIM_NETWORK_H_

#include "services/async/net/sim_network.h"

#include <cerrno>
#include <deque>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/async/net/io_error.h"
#include "services/async/net/sim_link.h"
#include "services/async/sleep.h"

namespace fermata {

SimFaults SimFaults::rough(std::uint64_t seed) {
  SimRandom random(seed ^ 0x5eed);
  SimFaults faults;
  const auto maybe = [&random](double most) {
    if (random.chance(0.5)) return 0.0;
    return most * static_cast<double>(random.below(1000)) / 1000;
  };
  faults.max_delay = random.between(faults.min_delay, absl::Milliseconds(20));
  faults.stall = maybe(0.05);
  faults.partial_read = maybe(0.9);
  faults.partial_write = maybe(0.9);
  faults.shortage = maybe(0.2);
  if (random.chance(0.5)) faults.buffer_bytes = 1 + random.below(4096);
  return faults;
}

class SimAcceptor final : public Acceptor {
 public:
  SimAcceptor(SimNetwork& network, Address local, int backlog)
      : network_(&network), local_(std::move(local)), backlog_(static_cast<std::size_t>(backlog)) {}
  ~SimAcceptor() override { network_->acceptors_.erase(local_); }

  int try_accept(std::unique_ptr<Transport>& accepted) noexcept override {
    SimWorld& world = *network_->world_;
    if (pending_.empty()) return EAGAIN;
    if (world.random.chance(world.faults.shortage)) return EMFILE;
    accepted = std::move(pending_.front());
    pending_.pop_front();
    return 0;
  }
  const Address& local() const noexcept override { return local_; }

  bool full() const noexcept { return pending_.size() >= backlog_; }
  void offer(std::unique_ptr<Transport> connection) noexcept {
    pending_.push_back(std::move(connection));
    fire(watch_);
  }

 private:
  int watch_ready(IoWatch& watch) noexcept override {
    watch_ = &watch;
    return 0;
  }
  void unwatch_ready(IoWatch&) noexcept override { watch_ = nullptr; }

  SimNetwork* network_;
  Address local_;
  std::size_t backlog_;
  std::deque<std::unique_ptr<Transport>> pending_;
  IoWatch* watch_ = nullptr;
};

SimNetwork::SimNetwork(Loop& loop, std::uint64_t seed, const SimFaults& faults)
    : loop_(loop), world_(std::make_shared<SimWorld>(seed, faults)) {
  FERMATA_CHECK(loop.network == nullptr, "a loop has one network");
  loop.network = this;
}

SimNetwork::~SimNetwork() {
  FERMATA_CHECK(acceptors_.empty(), "a SimNetwork was destroyed before its listeners");
  loop_.network = nullptr;
}

void SimNetwork::add_host(std::string name, std::vector<Address> addresses) {
  hosts_[std::move(name)] = std::move(addresses);
}

void SimNetwork::set_faults(const SimFaults& faults) { world_->faults = faults; }
std::uint64_t SimNetwork::resets() const noexcept { return world_->resets; }
std::uint64_t SimNetwork::connections() const noexcept { return connections_; }

std::pair<Stream, Stream> SimNetwork::pair() {
  auto [a, b] = SimLink::make(world_, Address::loopback(next_port_), Address::loopback(1));
  ++next_port_;
  return {Stream(std::move(a)), Stream(std::move(b))};
}

absl::StatusOr<std::unique_ptr<Acceptor>> SimNetwork::listen(const Address& address,
                                                             const ListenOptions& options) {
  Address local = address;
  if (!local.is_unix() && local.port() == 0) local = local.with_port(next_port_++);
  if (acceptors_.contains(local)) {
    return io_error(EADDRINUSE, absl::StrCat("listen at ", local.to_string()));
  }
  auto acceptor = std::make_unique<SimAcceptor>(*this, local, options.backlog);
  acceptors_.emplace(std::move(local), acceptor.get());
  return acceptor;
}

SimAcceptor* SimNetwork::acceptor_for(const Address& address) {
  const auto exact = acceptors_.find(address);
  if (exact != acceptors_.end()) return exact->second;
  for (const auto& [local, acceptor] : acceptors_) {
    if (local.is_any() && local.kind() == address.kind() && local.port() == address.port()) {
      return acceptor;
    }
  }
  return nullptr;
}

Co<absl::StatusOr<Stream>> SimNetwork::connect(Address address) {
  SimWorld& world = *world_;
  co_await sleep(world.random.between(world.faults.min_delay, world.faults.max_delay));
  SimAcceptor* acceptor = acceptor_for(address);
  // A full backlog drops the request, and the kernel of the connecting side asks again.
  while (acceptor != nullptr && acceptor->full()) {
    co_await sleep(absl::Seconds(1));
    acceptor = acceptor_for(address);
  }
  if (acceptor == nullptr || world.random.chance(world.faults.refuse)) {
    co_return io_error(ECONNREFUSED, absl::StrCat("connect to ", address.to_string()));
  }
  ++connections_;
  Address local = address;
  if (!local.is_unix()) local = local.with_port(next_port_++);
  auto [here, there] = SimLink::make(world_, std::move(local), std::move(address));
  acceptor->offer(std::move(there));
  co_return Stream(std::move(here));
}

Co<absl::StatusOr<std::vector<Address>>> SimNetwork::resolve(std::string host, std::uint16_t port) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) {
    co_return absl::NotFoundError(
        absl::StrCat("no such host: '", host, "'; add_host() says which there are"));
  }
  std::vector<Address> addresses;
  for (const Address& address : found->second) addresses.push_back(address.with_port(port));
  co_return addresses;
}

}  // namespace fermata

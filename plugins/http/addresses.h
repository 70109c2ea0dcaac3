// Which network addresses a transfer may connect to.
//
// The check is made on the address itself, at the moment of connecting, so a name that resolves to
// a private address, a redirect to one and a name that changes between two look-ups are all caught.
// Pure data after parsing; any thread.
#ifndef FERMATA_PLUGINS_HTTP_ADDRESSES_H_
#define FERMATA_PLUGINS_HTTP_ADDRESSES_H_

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fermata::http {

// An address as 16 bytes; IPv4 is held as ::ffff:a.b.c.d so that there is one way to compare.
using Address = std::array<std::uint8_t, 16>;

// nullopt for anything but AF_INET and AF_INET6.
std::optional<Address> address_of(const sockaddr& address);
std::string address_text(const Address& address);

class Network {
 public:
  // "10.0.0.0/8", "2001:db8::/32", or one address.
  static absl::StatusOr<Network> parse(const std::string& text);
  bool contains(const Address& address) const;

 private:
  Network(const Address& base, int bits) : base_(base), bits_(bits) {}
  Address base_;
  int bits_;
};

// Not reachable from the public internet: loopback, private, link-local, shared, documentation,
// benchmarking, multicast and reserved ranges, and their forms inside IPv6.
bool is_private(const Address& address);

class AddressPolicy {
 public:
  AddressPolicy() = default;
  AddressPolicy(bool allow_private, std::vector<Network> allow, std::vector<Network> deny)
      : allow_private_(allow_private), allow_(std::move(allow)), deny_(std::move(deny)) {}

  // The order is: deny list, allow list, then the rule for private addresses.
  bool allows(const Address& address) const;

 private:
  bool allow_private_ = true;
  std::vector<Network> allow_;
  std::vector<Network> deny_;
};

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_ADDRESSES_H_

// Address: where a stream begins or ends. An IP address with a port, or the path of a Unix socket.
//
//   127.0.0.1:80      [::1]:80      [fe80::1%eth0]:80      unix:/run/fermata.sock
//
// The text form is the one that goes into flags, configuration and logs; parse() and to_string()
// are inverses. Names are not addresses: resolve.h makes the one into the other. A plain value.
#ifndef SERVICES_ASYNC_NET_ADDRESS_H_
#define SERVICES_ASYNC_NET_ADDRESS_H_

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fermata {

class Address {
 public:
  enum class Kind : std::uint8_t { kIpv4, kIpv6, kUnix };

  // 0.0.0.0:0
  Address() = default;
  static absl::StatusOr<Address> parse(std::string_view text);
  // An IP address without a port, as in "::1"; InvalidArgument for anything else.
  static absl::StatusOr<Address> from_ip(std::string_view ip, std::uint16_t port);
  static absl::StatusOr<Address> from_path(std::string path);
  static Address from_sockaddr(const sockaddr_storage& raw, socklen_t length);
  // 127.0.0.1; port 0 lets the system choose when it is listened on.
  static Address loopback(std::uint16_t port = 0);

  Kind kind() const noexcept { return kind_; }
  bool is_unix() const noexcept { return kind_ == Kind::kUnix; }
  // 0.0.0.0 or ::, which listeners mean as "every address of this machine".
  bool is_any() const noexcept { return !is_unix() && ip_ == decltype(ip_){}; }
  std::uint16_t port() const noexcept { return port_; }
  Address with_port(std::uint16_t port) const;
  // Empty for IP addresses, and for the unnamed end of a Unix connection.
  const std::string& path() const noexcept { return path_; }

  std::string to_string() const;
  int family() const noexcept;  // AF_INET, AF_INET6, AF_UNIX
  // Fills `raw`; returns how many bytes of it count.
  socklen_t to_sockaddr(sockaddr_storage& raw) const noexcept;

  friend auto operator<=>(const Address&, const Address&) = default;
  friend bool operator==(const Address&, const Address&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Address& address) {
    return out << address.to_string();
  }

 private:
  Kind kind_ = Kind::kIpv4;
  std::uint16_t port_ = 0;
  std::uint32_t scope_ = 0;            // of a link-local IPv6 address: the interface
  std::array<std::uint8_t, 16> ip_{};  // the first 4 bytes for IPv4
  std::string path_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_ADDRESS_H_

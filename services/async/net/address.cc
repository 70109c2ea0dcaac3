#include "services/async/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/async/check.h"

namespace fermata {
namespace {

// Debian's Abseil was built with a string_view of its own.
absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

absl::Status bad_address(absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(
      "expected an address such as 127.0.0.1:80, [::1]:80 or unix:/path; got '", got, "'"));
}

}  // namespace

absl::StatusOr<Address> Address::parse(std::string_view address) {
  const absl::string_view text = view(address);
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) return from_path(std::string(rest));
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return bad_address(text);
  absl::string_view ip = text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&ip, "[") && absl::ConsumeSuffix(&ip, "]");
  // Without its brackets the last group of an IPv6 address would be taken for the port.
  if (bracketed != absl::StrContains(ip, ':')) return bad_address(text);
  const absl::string_view digits = text.substr(colon + 1);
  std::uint32_t port = 0;
  if (digits.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(digits, &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a port from 0 to 65535; got '", digits, "' in '", text, "'"));
  }
  absl::StatusOr<Address> parsed =
      from_ip(std::string_view(ip.data(), ip.size()), static_cast<std::uint16_t>(port));
  if (!parsed.ok()) return bad_address(text);
  return parsed;
}

absl::StatusOr<Address> Address::from_ip(std::string_view ip, std::uint16_t port) {
  Address address;
  address.port_ = port;
  if (inet_pton(AF_INET, std::string(ip).c_str(), address.ip_.data()) == 1) return address;
  address.kind_ = Kind::kIpv6;
  const std::size_t percent = ip.find('%');
  if (percent != std::string_view::npos) {
    const std::string interface(ip.substr(percent + 1));
    address.scope_ = if_nametoindex(interface.c_str());
    if (address.scope_ == 0 && !absl::SimpleAtoi(interface, &address.scope_)) {
      return absl::InvalidArgumentError(absl::StrCat("this machine has no network interface '",
                                                     interface, "', named in ", view(ip)));
    }
  }
  const std::string plain(ip.substr(0, percent));
  if (inet_pton(AF_INET6, plain.c_str(), address.ip_.data()) == 1) return address;
  return absl::InvalidArgumentError(
      absl::StrCat("expected an IP address such as 127.0.0.1 or ::1; got '", view(ip), "'"));
}

absl::StatusOr<Address> Address::from_path(std::string path) {
  constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kMaxPath || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("expected the path of a Unix socket, 1 to ",
                                                   kMaxPath, " bytes; got ", path.size(), ": '",
                                                   path, "'"));
  }
  Address address;
  address.kind_ = Kind::kUnix;
  address.path_ = std::move(path);
  return address;
}

Address Address::loopback(std::uint16_t port) {
  Address address;
  address.ip_ = {127, 0, 0, 1};
  address.port_ = port;
  return address;
}

Address Address::with_port(std::uint16_t port) const {
  Address address = *this;
  address.port_ = port;
  return address;
}

std::string Address::to_string() const {
  if (is_unix()) return absl::StrCat("unix:", path_);
  char text[INET6_ADDRSTRLEN];
  FERMATA_CHECK(inet_ntop(family(), ip_.data(), text, sizeof text) != nullptr,
                "an Address holds an IP address of its family");
  if (kind_ == Kind::kIpv4) return absl::StrCat(text, ":", port_);
  if (scope_ == 0) return absl::StrCat("[", text, "]:", port_);
  char interface[IF_NAMESIZE];
  if (if_indextoname(scope_, interface) == nullptr) {
    return absl::StrCat("[", text, "%", scope_, "]:", port_);
  }
  return absl::StrCat("[", text, "%", interface, "]:", port_);
}

int Address::family() const noexcept {
  switch (kind_) {
    case Kind::kIpv4:
      return AF_INET;
    case Kind::kIpv6:
      return AF_INET6;
    case Kind::kUnix:
      return AF_UNIX;
  }
  return AF_UNSPEC;
}

socklen_t Address::to_sockaddr(sockaddr_storage& raw) const noexcept {
  raw = sockaddr_storage{};
  switch (kind_) {
    case Kind::kIpv4: {
      sockaddr_in& v4 = reinterpret_cast<sockaddr_in&>(raw);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port_);
      std::memcpy(&v4.sin_addr, ip_.data(), sizeof v4.sin_addr);
      return sizeof v4;
    }
    case Kind::kIpv6: {
      sockaddr_in6& v6 = reinterpret_cast<sockaddr_in6&>(raw);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port_);
      v6.sin6_scope_id = scope_;
      std::memcpy(&v6.sin6_addr, ip_.data(), sizeof v6.sin6_addr);
      return sizeof v6;
    }
    case Kind::kUnix: {
      sockaddr_un& un = reinterpret_cast<sockaddr_un&>(raw);
      un.sun_family = AF_UNIX;
      std::memcpy(un.sun_path, path_.data(), path_.size());  // the rest is zero
      return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size() + 1);
    }
  }
  return 0;
}

Address Address::from_sockaddr(const sockaddr_storage& raw, socklen_t length) {
  Address address;
  switch (raw.ss_family) {
    case AF_INET: {
      const sockaddr_in& v4 = reinterpret_cast<const sockaddr_in&>(raw);
      address.port_ = ntohs(v4.sin_port);
      std::memcpy(address.ip_.data(), &v4.sin_addr, sizeof v4.sin_addr);
      return address;
    }
    case AF_INET6: {
      const sockaddr_in6& v6 = reinterpret_cast<const sockaddr_in6&>(raw);
      address.kind_ = Kind::kIpv6;
      address.port_ = ntohs(v6.sin6_port);
      address.scope_ = v6.sin6_scope_id;
      std::memcpy(address.ip_.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
      return address;
    }
    default: {
      const sockaddr_un& un = reinterpret_cast<const sockaddr_un&>(raw);
      address.kind_ = Kind::kUnix;
      const std::size_t bytes = length > offsetof(sockaddr_un, sun_path)
                                    ? length - offsetof(sockaddr_un, sun_path)
                                    : 0;  // the unnamed end of a connection
      address.path_.assign(un.sun_path, strnlen(un.sun_path, bytes));
      return address;
    }
  }
}

}  // namespace fermata

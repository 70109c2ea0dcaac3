#include "plugins/http/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fermata::http {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

Address mapped(const void* four_bytes) {
  Address address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
  std::memcpy(address.data() + kMappedPrefix.size(), four_bytes, 4);
  return address;
}

bool is_mapped(const Address& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
}

// RFC 6890 and the registries behind it.
constexpr std::string_view kPrivateNetworks[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "::/128",        "::1/128",         "64:ff9b:1::/48", "100::/64",       "2001::/23",
    "2001:db8::/32", "fc00::/7",        "fe80::/10",      "fec0::/10",      "ff00::/8",
    "::/96",
};

const std::vector<Network>& private_networks() {
  static const std::vector<Network>* const networks = [] {
    auto* made = new std::vector<Network>;
    for (std::string_view text : kPrivateNetworks)
      made->push_back(*Network::parse(std::string(text)));
    return made;
  }();
  return *networks;
}

// IPv4 carried inside IPv6 reaches the IPv4 address: NAT64 (64:ff9b::/96) and 6to4 (2002::/16).
std::optional<Address> embedded(const Address& address) {
  constexpr std::array<std::uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};
  if (std::equal(kNat64.begin(), kNat64.end(), address.begin())) return mapped(&address[12]);
  if (address[0] == 0x20 && address[1] == 0x02) return mapped(&address[2]);
  return std::nullopt;
}

}  // namespace

std::optional<Address> address_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, &address, sizeof four);
    return mapped(&four.sin_addr);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 six;
    std::memcpy(&six, &address, sizeof six);
    Address out;
    std::memcpy(out.data(), &six.sin6_addr, out.size());
    return out;
  }
  return std::nullopt;
}

std::string address_text(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_mapped(address)) {
    inet_ntop(AF_INET, address.data() + kMappedPrefix.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

absl::StatusOr<Network> Network::parse(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::string host = text.substr(0, slash);
  Address base;
  std::uint8_t four[4];
  int bits_max = 128;
  int bits_base = 0;
  if (inet_pton(AF_INET, host.c_str(), four) == 1) {
    base = mapped(four);
    bits_max = 32;
    bits_base = kMappedBits;
  } else if (inet_pton(AF_INET6, host.c_str(), base.data()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "network: expected an address with an optional prefix length such as 10.0.0.0/8, got '",
        text, "'"));
  }
  int bits = bits_max;
  if (slash != std::string::npos &&
      (!absl::SimpleAtoi(text.substr(slash + 1), &bits) || bits < 0 || bits > bits_max)) {
    return absl::InvalidArgumentError(absl::StrCat("network '", text,
                                                   "': expected a prefix length of 0 to ", bits_max,
                                                   ", got '", text.substr(slash + 1), "'"));
  }
  return Network(base, bits_base + bits);
}

bool Network::contains(const Address& address) const {
  const int whole = bits_ / 8;
  if (!std::equal(base_.begin(), base_.begin() + whole, address.begin())) return false;
  const int rest = bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((base_[whole] ^ address[whole]) & mask) == 0;
}

bool is_private(const Address& address) {
  if (const std::optional<Address> inner = embedded(address)) return is_private(*inner);
  return std::any_of(private_networks().begin(), private_networks().end(),
                     [&](const Network& network) { return network.contains(address); });
}

bool AddressPolicy::allows(const Address& address) const {
  const auto holds = [&](const Network& network) { return network.contains(address); };
  if (std::any_of(deny_.begin(), deny_.end(), holds)) return false;
  if (std::any_of(allow_.begin(), allow_.end(), holds)) return true;
  return allow_private_ || !is_private(address);
}

}  // namespace fermata::http

#include "plugins/http/addresses.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace fermata::http {
namespace {

Address address(const char* text) {
  sockaddr_storage storage = {};
  auto* four = reinterpret_cast<sockaddr_in*>(&storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &six->sin6_addr), 1) << text;
    six->sin6_family = AF_INET6;
  }
  return *address_of(reinterpret_cast<const sockaddr&>(storage));
}

std::vector<Network> networks(std::initializer_list<const char*> texts) {
  std::vector<Network> out;
  for (const char* text : texts) out.push_back(*Network::parse(text));
  return out;
}

TEST(Addresses, PrivateRangesInAllTheirForms) {
  for (const char* text : {"127.0.0.1",
                           "127.255.255.254",
                           "10.1.2.3",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "169.254.169.254",
                           "100.64.0.1",
                           "0.0.0.0",
                           "224.0.0.1",
                           "255.255.255.255",
                           "198.18.0.1",
                           "::1",
                           "::",
                           "fe80::1",
                           "fd00::1",
                           "ff02::1",
                           "::ffff:127.0.0.1",
                           "::127.0.0.1",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b:1::1",
                           "2002:7f00:1::",
                           "2002:a9fe:a9fe::",
                           "2001:db8::1"}) {
    EXPECT_TRUE(is_private(address(text))) << text;
  }
}

TEST(Addresses, PublicOnesAreNot) {
  for (const char* text : {"1.1.1.1", "172.32.0.1", "172.15.255.255", "192.169.0.1", "100.128.0.1",
                           "11.0.0.1", "223.255.255.255", "2606:4700::1111", "2a00::1",
                           "64:ff9b::8.8.8.8", "2002:808:808::", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(is_private(address(text))) << text;
  }
}

TEST(Addresses, NetworksHoldTheirAddressesAndNoOthers) {
  const Network network = *Network::parse("10.1.128.0/17");
  EXPECT_TRUE(network.contains(address("10.1.200.1")));
  EXPECT_TRUE(network.contains(address("::ffff:10.1.200.1")));
  EXPECT_FALSE(network.contains(address("10.1.127.255")));
  EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(address("8.8.8.8")));
  EXPECT_FALSE(Network::parse("0.0.0.0/0")->contains(address("2a00::1")));
  EXPECT_TRUE(Network::parse("::/0")->contains(address("2a00::1")));
  EXPECT_TRUE(Network::parse("10.0.0.1")->contains(address("10.0.0.1")));
  EXPECT_FALSE(Network::parse("10.0.0.1")->contains(address("10.0.0.2")));
}

TEST(Addresses, BadNetworksAreNamed) {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1",
                           "example.com", "10.0.0.0/8/8"}) {
    EXPECT_EQ(Network::parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(AddressPolicy, DenyBeatsAllowBeatsPrivate) {
  const AddressPolicy open;
  EXPECT_TRUE(open.allows(address("127.0.0.1")));
  const AddressPolicy closed(false, networks({"10.1.0.0/16"}),
                             networks({"10.1.2.0/24", "8.8.8.8"}));
  EXPECT_FALSE(closed.allows(address("127.0.0.1")));
  EXPECT_TRUE(closed.allows(address("10.1.1.1")));
  EXPECT_FALSE(closed.allows(address("10.1.2.1")));
  EXPECT_FALSE(closed.allows(address("8.8.8.8")));
  EXPECT_TRUE(closed.allows(address("1.1.1.1")));
}

TEST(Addresses, TextIsReadable) {
  EXPECT_EQ(address_text(address("10.1.2.3")), "10.1.2.3");
  EXPECT_EQ(address_text(address("2a00::1")), "2a00::1");
}

TEST(Addresses, OtherFamiliesHaveNone) {
  sockaddr_storage storage = {};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(address_of(reinterpret_cast<const sockaddr&>(storage)), std::nullopt);
}

}  // namespace
}  // namespace fermata::http

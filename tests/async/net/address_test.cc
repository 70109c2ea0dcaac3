// Addresses in text and back.
#include "services/async/net/address.h"

#include <string>

#include "gtest/gtest.h"

namespace fermata {
namespace {

TEST(Address, TextFormsAreReadAndWrittenBack) {
  for (const char* text :
       {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0",
        "[2001:db8::1]:443", "unix:/run/fermata.sock", "unix:relative"}) {
    const absl::StatusOr<Address> address = Address::parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(Address, ALinkLocalAddressKeepsItsInterface) {
  const absl::StatusOr<Address> address = Address::parse("[fe80::1%lo]:80");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->to_string(), "[fe80::1%lo]:80");
  EXPECT_NE(*address, *Address::parse("[fe80::1]:80"));
}

TEST(Address, WhatIsNoAddressIsRefusedWithWhatWasExpectedAndGot) {
  for (const char* text :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1: 80", "127.0.0:80", "localhost:80", "::1:80", "[::1]", "[::1]80",
        "[127.0.0.1]:80", "[::1:80", "::1]:80", "unix:", "[fe80::1%no-such-if]:80"}) {
    const absl::StatusOr<Address> address = Address::parse(text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
    const std::string message(address.status().message());
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
    EXPECT_NE(message.find("got"), std::string::npos) << message;
  }
}

TEST(Address, AUnixPathMustFitIntoASocketAddress) {
  EXPECT_TRUE(Address::from_path(std::string(107, 'x')).ok());
  EXPECT_EQ(Address::from_path(std::string(108, 'x')).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Address::from_path(std::string("a\0b", 3)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Address, GoesToTheKernelAndBackUnchanged) {
  for (const char* text : {"1.2.3.4:5", "[2001:db8::42]:6", "unix:/a/b", "[fe80::1%lo]:80"}) {
    const Address address = *Address::parse(text);
    sockaddr_storage raw;
    const socklen_t length = address.to_sockaddr(raw);
    EXPECT_EQ(raw.ss_family, address.family());
    EXPECT_EQ(Address::from_sockaddr(raw, length), address);
  }
}

TEST(Address, EqualAddressesAreOneKeyOfAMap) {
  EXPECT_EQ(Address::loopback(80), *Address::parse("127.0.0.1:80"));
  EXPECT_NE(Address::loopback(80), Address::loopback(81));
  EXPECT_LT(Address::loopback(80), Address::loopback(81));
  EXPECT_EQ(Address::loopback(80).with_port(81), Address::loopback(81));
  EXPECT_TRUE(Address::parse("0.0.0.0:80")->is_any());
  EXPECT_TRUE(Address::parse("[::]:80")->is_any());
  EXPECT_FALSE(Address::loopback().is_any());
  EXPECT_FALSE(Address::parse("unix:/x")->is_any());
}

}  // namespace
}  // namespace fermata

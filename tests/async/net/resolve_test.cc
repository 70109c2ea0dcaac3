// Names, resolved by a small name server that the test itself is.
#include "services/async/net/resolve.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/net/net_testing.h"

namespace fermata {
namespace {

using Datagram = std::array<char, 512>;

// Answers one question. "two.test" has 127.0.0.2 and 127.0.0.1; what begins with "missing" is not
// there; "garbage" gets nonsense, and "silent" nothing.
std::string answer_to(const std::string& question) {
  std::string name;
  std::size_t at = 12;
  while (at < question.size() && question[at] != 0) {
    const std::size_t size = static_cast<std::size_t>(question[at]);
    name += question.substr(at + 1, size) + ".";
    at += 1 + size;
  }
  const bool wants_ipv4 = question[at + 2] == 1;
  if (absl::StartsWith(name, "silent")) return "";
  if (absl::StartsWith(name, "garbage")) return question.substr(0, 2) + "\xff\xff\xff";
  std::string answer = question.substr(0, at + 5);
  const bool missing = absl::StartsWith(name, "missing");
  const char count = !missing && wants_ipv4 ? 2 : 0;
  const char header[] = {'\x81', missing ? '\x83' : '\x80', 0, 1, 0, count, 0, 0, 0, 0};
  answer.replace(2, sizeof header, header, sizeof header);
  for (char last = 2; last > 2 - count; --last) {
    const char record[] = {'\xc0', 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, last};
    answer.append(record, sizeof record);
  }
  return answer;
}

Co<absl::Status> serve_names(Descriptor& server) {
  for (;;) {
    Datagram datagram;
    sockaddr_storage raw{};
    socklen_t length = sizeof raw;
    sockaddr* peer = reinterpret_cast<sockaddr*>(&raw);
    const ssize_t got = recvfrom(server.fd(), datagram.data(), datagram.size(), 0, peer, &length);
    if (got < 0) {
      co_await Try(server.readable());
      continue;
    }
    const std::string answer =
        answer_to(std::string(datagram.data(), static_cast<std::size_t>(got)));
    if (!answer.empty()) (void)sendto(server.fd(), answer.data(), answer.size(), 0, peer, length);
  }
}

template <class F>
Co<absl::Status> beside_server(TaskGroup& group, Descriptor& server, Resolver& resolver, F& body) {
  group.spawn(serve_names, std::ref(server));
  co_await Try(body(resolver));
  group.cancel();
  co_return absl::OkStatus();
}

template <class F>
Co<absl::Status> with_name_server(F body) {
  Descriptor server(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage raw;
  socklen_t length = Address::loopback().to_sockaddr(raw);
  EXPECT_EQ(bind(server.fd(), reinterpret_cast<sockaddr*>(&raw), length), 0);
  EXPECT_EQ(getsockname(server.fd(), reinterpret_cast<sockaddr*>(&raw), &length), 0);
  ResolverOptions options;
  options.servers = Address::from_sockaddr(raw, length).to_string();
  options.timeout = absl::Milliseconds(30);
  options.tries = 2;
  absl::StatusOr<Resolver> resolver = Resolver::make(options);
  if (!resolver.ok()) co_return resolver.status();
  co_return co_await with_group(&beside_server<F>, server, *resolver, body);
}

// F is a lambda without captures.
template <class F>
void with_names(F) {
  on_real_sockets([]() -> Co<absl::Status> { co_return co_await with_name_server(F()); });
}

TEST(Resolver, ANameHasItsAddressesWithThePort) {
  with_names([](Resolver& resolver) -> Co<absl::Status> {
    std::vector<Address> addresses = co_await Try(resolver.resolve("two.test", 80));
    std::sort(addresses.begin(), addresses.end());
    EXPECT_EQ(addresses.size(), 2u);
    EXPECT_EQ(addresses.front().to_string(), "127.0.0.1:80");
    EXPECT_EQ(addresses.back().to_string(), "127.0.0.2:80");
    co_return absl::OkStatus();
  });
}

TEST(Resolver, MissingNamesSilenceAndGarbageAreErrorsOfTheirOwn) {
  with_names([](Resolver& resolver) -> Co<absl::Status> {
    absl::StatusOr<std::vector<Address>> missing = co_await resolver.resolve("missing.test", 80);
    EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
    absl::StatusOr<std::vector<Address>> silent = co_await resolver.resolve("silent.test", 80);
    EXPECT_TRUE(absl::IsUnavailable(silent.status())) << silent.status();
    absl::StatusOr<std::vector<Address>> garbage = co_await resolver.resolve("garbage.test", 80);
    EXPECT_TRUE(absl::IsUnavailable(garbage.status())) << garbage.status();
    co_return absl::OkStatus();
  });
}

TEST(Resolver, ManyNamesAtOnceDoNotWaitForTheSilentOne) {
  with_names([](Resolver& resolver) -> Co<absl::Status> {
    std::vector<std::string> names = {"silent.test"};
    for (int i = 0; i < 50; ++i) names.push_back(absl::StrCat("name", i, ".test"));
    int found = 0;
    co_await Try(for_each(
        names, 100,
        [](const std::string& name, Resolver& resolver, int& found) -> Co<void> {
          absl::StatusOr<std::vector<Address>> got = co_await resolver.resolve(name, 80);
          if (got.ok()) ++found;
        },
        resolver, found));
    EXPECT_EQ(found, 50);
    co_return absl::OkStatus();
  });
}

TEST(Resolver, ACancelledQueryEndsAtOnceAndTheNextOneWorks) {
  with_names([](Resolver& resolver) -> Co<absl::Status> {
    absl::StatusOr<std::vector<Address>> cut =
        co_await timeout(absl::Milliseconds(1), resolver.resolve("silent.test", 80));
    EXPECT_TRUE(absl::IsDeadlineExceeded(cut.status())) << cut.status();
    co_await Try(resolver.resolve("two.test", 80));
    co_return absl::OkStatus();
  });
}

TEST(Resolver, LiteralsAndLocalhostAskNobody) {
  SimLoop loop(1);
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    ResolverOptions nobody;
    nobody.servers = "127.0.0.1:1";
    absl::StatusOr<Resolver> resolver = Resolver::make(nobody);
    std::vector<Address> v4 = co_await Try(resolver->resolve("10.0.0.1", 80));
    EXPECT_EQ(v4[0].to_string(), "10.0.0.1:80");
    std::vector<Address> v6 = co_await Try(resolver->resolve("::1", 80));
    EXPECT_EQ(v6[0].to_string(), "[::1]:80");
    std::vector<Address> here = co_await Try(resolver->resolve("localhost", 80));
    EXPECT_EQ(here[0], Address::loopback(80));
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST(Resolver, ServersThatAreNoAddressesAreRefused) {
  ResolverOptions options;
  options.servers = "no address";
  EXPECT_EQ(Resolver::make(options).status().code(), absl::StatusCode::kInvalidArgument);
}

// Only the last of its addresses answers.
TEST(ConnectByName, TriesTheAddressesInTurn) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimLoop loop(seed);
    SimNetwork network(loop, seed, SimFaults::rough(seed));
    network.add_host("dual.test", {*Address::parse("[::2]:0"), *Address::parse("10.0.0.1:0"),
                                   *Address::parse("10.0.0.2:0")});
    EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
      absl::StatusOr<Resolver> resolver = Resolver::make();
      absl::StatusOr<Stream> none = co_await connect(*resolver, "dual.test", 80);
      EXPECT_TRUE(absl::IsUnavailable(none.status())) << none.status();
      absl::StatusOr<Listener> listener = listen(*Address::parse("10.0.0.2:80"));
      Stream stream = co_await Try(connect(*resolver, "dual.test", 80));
      EXPECT_EQ(stream.peer().to_string(), "10.0.0.2:80");
      co_return absl::OkStatus();
    }),
              absl::OkStatus());
  }
}

}  // namespace
}  // namespace fermata

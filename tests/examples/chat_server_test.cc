#include "tests/examples/chat_server.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/net/buffered_reader.h"
#include "tests/async/net/net_testing.h"

namespace fermata::examples {
namespace {

struct Client {
  explicit Client(Stream connected) : stream(std::move(connected)), reader(stream) {}
  Co<absl::Status> say(std::string line) {
    line += '\n';
    co_return co_await stream.write(line);
  }
  Co<absl::Status> expect(std::string expected) {
    std::string line = co_await Try(timeout(absl::Minutes(5), reader.read_line()));
    EXPECT_EQ(line, expected);
    co_return absl::OkStatus();
  }
  Stream stream;
  BufferedReader reader;
};

Co<absl::StatusOr<std::unique_ptr<Client>>> join(Address address, std::string greeting) {
  Stream stream = co_await Try(connect(address));
  auto client = std::make_unique<Client>(std::move(stream));
  co_await Try(client->say(std::move(greeting)));
  co_await Try(client->expect("welcome"));
  co_return client;
}

// Runs `clients(address)` beside a server.
template <class F>
Co<absl::Status> with_server(F clients, ChatLimits limits) {
  absl::StatusOr<Listener> listener = listen(Address::loopback());
  if (!listener.ok()) co_return listener.status();
  co_return co_await with_group(
      [](TaskGroup& group, Listener& listener, F& clients, ChatLimits& limits) -> Co<absl::Status> {
        group.spawn(serve_chat, std::ref(listener), limits);
        co_await Try(clients(listener.local()));
        group.cancel();
        co_return absl::OkStatus();
      },
      *listener, clients, limits);
}

Co<absl::Status> three_in_two_rooms(Address address) {
  std::unique_ptr<Client> ann = co_await Try(join(address, "ann garden"));
  std::unique_ptr<Client> bob = co_await Try(join(address, "bob garden"));
  std::unique_ptr<Client> eve = co_await Try(join(address, "eve cellar"));
  co_await Try(ann->say("hello"));
  co_await Try(bob->expect("ann: hello"));
  co_await Try(bob->say("hi"));
  co_await Try(ann->expect("bob: hi"));  // and not her own line
  bob->stream.close();
  std::unique_ptr<Client> dan = co_await Try(join(address, "dan cellar"));
  co_await Try(dan->say("dark here"));
  co_await Try(eve->expect("dan: dark here"));  // and nothing of the garden
  co_return absl::OkStatus();
}

TEST(ChatServer, LinesReachTheOthersInTheRoomAndNobodyElse) {
  on_every_network([]() -> Co<absl::Status> {
    co_return co_await with_server(three_in_two_rooms, ChatLimits());
  });
}

// One client never reads; the other two talk as if it were not there, and it is put out.
Co<absl::Status> one_is_slow(Address address) {
  std::unique_ptr<Client> slow = co_await Try(join(address, "slow room"));
  std::unique_ptr<Client> ann = co_await Try(join(address, "ann room"));
  std::unique_ptr<Client> bob = co_await Try(join(address, "bob room"));
  const std::string much(900, 'x');
  // The kernel alone holds megabytes for a client that does not read.
  for (int i = 0; i < 12'000; ++i) {
    co_await Try(ann->say(much));
    co_await Try(bob->expect("ann: " + much));
  }
  absl::Status end;
  for (int lines = 0; end.ok(); ++lines) {
    EXPECT_LT(lines, 12'000) << "it was never put out";
    absl::StatusOr<std::string> line = co_await timeout(absl::Minutes(5), slow->reader.read_line());
    end = line.status();
  }
  EXPECT_FALSE(absl::IsDeadlineExceeded(end)) << end;
  co_return absl::OkStatus();
}

TEST(ChatServer, ASlowClientHoldsUpNobodyAndIsDisconnected) {
  const auto scenario = []() -> Co<absl::Status> {
    co_return co_await with_server(one_is_slow, ChatLimits());
  };
  for (std::uint64_t seed = 0; seed < 3; ++seed) on_sim_network(seed, SimFaults(), scenario);
  on_real_sockets(scenario);
}

Co<absl::Status> rude_clients(Address address) {
  Stream silent = co_await Try(connect(address));
  Stream endless = co_await Try(connect(address));
  Stream nameless = co_await Try(connect(address));
  const std::string no_end(4096, 'x');
  (void)co_await endless.write(no_end);
  co_await Try(nameless.write("hello\n"));
  BufferedReader reader(nameless);
  std::string answer = co_await Try(reader.read_line());
  EXPECT_EQ(answer, "expected: <name> <room>");
  std::array<char, 64> buffer;
  for (Stream* stream : {&silent, &endless}) {
    absl::StatusOr<std::size_t> end = co_await timeout(absl::Minutes(5), stream->read_some(buffer));
    EXPECT_FALSE(absl::IsDeadlineExceeded(end.status())) << "it was not disconnected";
  }
  co_return co_await three_in_two_rooms(address);
}

TEST(ChatServer, RudeClientsAreDisconnectedAndTheRestGoesOn) {
  const auto scenario = []() -> Co<absl::Status> {
    ChatLimits limits;
    limits.greeting = absl::Milliseconds(300);
    co_return co_await with_server(rude_clients, limits);
  };
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) on_sim_network(seed, SimFaults(), scenario);
  on_real_sockets(scenario);
}

}  // namespace
}  // namespace fermata::examples

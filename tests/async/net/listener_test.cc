// Listeners and connecting, simulated and real.
#include "services/async/net/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/net/buffered_reader.h"
#include "tests/async/net/net_testing.h"

namespace fermata {
namespace {

Co<absl::Status> echo_line(Stream stream) {
  BufferedReader reader(stream);
  std::string line = co_await Try(reader.read_line());
  line += '\n';
  co_return co_await stream.write(line);
}

Co<absl::Status> echo_server(Listener& listener, int connections) {
  co_return co_await with_group(
      [](TaskGroup& group, Listener& listener, int connections) -> Co<absl::Status> {
        for (int i = 0; i < connections; ++i) {
          Stream peer = co_await Try(listener.accept());
          group.spawn_named("conn", echo_line, std::move(peer));
        }
        co_return absl::OkStatus();
      },
      listener, connections);
}

Co<absl::Status> echo_client(const Address& address, int number) {
  Stream stream = co_await Try(connect(address));
  EXPECT_EQ(stream.peer(), address);
  const std::string line = "hello " + std::to_string(number);
  const std::string sent = line + '\n';
  co_await Try(stream.write(sent));
  BufferedReader reader(stream);
  std::string back = co_await Try(reader.read_line());
  EXPECT_EQ(back, line);
  absl::StatusOr<std::string> end = co_await reader.read_line();
  EXPECT_TRUE(absl::IsOutOfRange(end.status())) << end.status();
  EXPECT_TRUE(reader.at_eof());
  co_return absl::OkStatus();
}

Co<absl::Status> echo_clients(const Address& address, int clients) {
  std::vector<int> numbers;
  for (int i = 0; i < clients; ++i) numbers.push_back(i);
  co_return co_await for_each(
      numbers, 10,
      [](int number, const Address& address) -> Co<absl::Status> {
        co_return co_await echo_client(address, number);
      },
      address);
}

Co<absl::Status> serve_and_call(Address address) {
  absl::StatusOr<Listener> listener = listen(address);
  if (!listener.ok()) co_return listener.status();
  co_return co_await gather(echo_server(*listener, 30), echo_clients(listener->local(), 30));
}

TEST(Listener, ManyClientsAreServedAndThePortIsChosen) {
  on_every_network(
      []() -> Co<absl::Status> { co_return co_await serve_and_call(Address::loopback()); });
}

TEST(Listener, AUnixSocketServesAndItsFileIsRemoved) {
  const TemporaryDirectory directory;
  static std::string path;
  path = directory.path("socket");
  on_every_network([]() -> Co<absl::Status> {
    absl::StatusOr<Address> address = Address::from_path(path);
    co_return co_await serve_and_call(*address);
  });
}

TEST(Listener, ASocketFileThatADeadServerLeftIsReplaced) {
  TemporaryDirectory directory;
  static std::string path;
  path = directory.path("socket");
  {
    const Descriptor dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage raw;
    const socklen_t length = Address::from_path(path)->to_sockaddr(raw);
    ASSERT_EQ(bind(dead.fd(), reinterpret_cast<const sockaddr*>(&raw), length), 0);
  }
  on_real_sockets([]() -> Co<absl::Status> {
    absl::StatusOr<Address> address = Address::from_path(path);
    co_return co_await serve_and_call(*address);
  });
}

TEST(Listener, ASocketFileThatSomebodyAnswersAtIsLeftAlone) {
  TemporaryDirectory directory;
  static std::string path;
  path = directory.path("socket");
  on_real_sockets([]() -> Co<absl::Status> {
    const Address address = *Address::from_path(path);
    absl::StatusOr<Listener> first = listen(address);
    EXPECT_TRUE(first.ok()) << first.status();
    absl::StatusOr<Listener> second = listen(address);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
    co_await Try(timeout(absl::Minutes(1), connect(address)));
    co_return absl::OkStatus();
  });
}

TEST(Listener, AFileThatIsNoSocketIsNeverReplaced) {
  TemporaryDirectory directory;
  static std::string path;
  path = directory.file("precious");
  Descriptor(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)).close();
  on_real_sockets([]() -> Co<absl::Status> {
    absl::StatusOr<Listener> listener = listen(*Address::from_path(path));
    EXPECT_EQ(listener.status().code(), absl::StatusCode::kAlreadyExists) << listener.status();
    co_return absl::OkStatus();
  });
  struct stat found{};
  EXPECT_EQ(stat(path.c_str(), &found), 0);
}

TEST(Listener, AnotherServersSocketFileInItsPlaceIsNotRemoved) {
  TemporaryDirectory directory;
  static std::string path;
  path = directory.path("socket");
  on_real_sockets([]() -> Co<absl::Status> {
    const Address address = *Address::from_path(path);
    absl::StatusOr<Listener> first = listen(address);
    EXPECT_EQ(unlink(path.c_str()), 0);
    absl::StatusOr<Listener> second = listen(address);
    EXPECT_TRUE(second.ok()) << second.status();
    first->close();
    struct stat found{};
    EXPECT_EQ(stat(path.c_str(), &found), 0);
    co_return absl::OkStatus();
  });
}

TEST(Listener, APortThatIsTakenIsAlreadyExists) {
  on_every_network([]() -> Co<absl::Status> {
    absl::StatusOr<Listener> first = listen(Address::loopback());
    absl::StatusOr<Listener> second = listen(first->local());
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
    co_return absl::OkStatus();
  });
}

TEST(Connect, NobodyListeningIsUnavailable) {
  on_every_network([]() -> Co<absl::Status> {
    Address address;
    {
      absl::StatusOr<Listener> gone = listen(Address::loopback());
      address = gone->local();
    }
    absl::StatusOr<Stream> stream = co_await connect(address);
    EXPECT_EQ(stream.status().code(), absl::StatusCode::kUnavailable) << stream.status();
    const Address nowhere = *Address::from_path("/nonexistent/socket");
    absl::StatusOr<Stream> no_file = co_await connect(nowhere);
    EXPECT_FALSE(no_file.ok());
    co_return absl::OkStatus();
  });
}

TEST(Listener, AcceptThatTimesOutAllTheTimeLosesNoConnection) {
  on_every_network([]() -> Co<absl::Status> {
    absl::StatusOr<Listener> listener = listen(Address::loopback());
    co_return co_await with_group(
        [](TaskGroup& group, Listener& listener) -> Co<absl::Status> {
          const Address address = listener.local();
          group.spawn(echo_clients, address, 20);
          for (int served = 0; served < 20;) {
            absl::StatusOr<Stream> peer =
                co_await timeout(absl::Microseconds(100), listener.accept());
            if (!peer.ok()) continue;
            ++served;
            group.spawn(echo_line, *std::move(peer));
          }
          co_return absl::OkStatus();
        },
        *listener);
  });
}

// Takes every descriptor number the process may have.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 200;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (;;) {
      Descriptor next(fcntl(0, F_DUPFD_CLOEXEC, 0));
      if (!next.is_open()) break;
      taken_.push_back(std::move(next));
    }
    EXPECT_FALSE(taken_.empty());
  }
  ~NoDescriptorsLeft() { setrlimit(RLIMIT_NOFILE, &before_); }
  void give_back(std::size_t count) { taken_.resize(taken_.size() - count); }

 private:
  rlimit before_{};
  std::vector<Descriptor> taken_;
};

Co<absl::Status> accept_nothing(Listener& listener) {
  absl::StatusOr<Stream> none = co_await timeout(2.5 * Listener::kBackOff, listener.accept());
  EXPECT_EQ(none.status().code(), absl::StatusCode::kDeadlineExceeded) << none.status();
  co_return absl::OkStatus();
}

TEST(Listener, OutOfDescriptorsItWaitsWithoutSpinningAndThenAccepts) {
  on_real_sockets([]() -> Co<absl::Status> {
    absl::StatusOr<Listener> listener = listen(Address::loopback());
    // Once before, for the sanitizers: they too need descriptors, when they see a type first.
    co_await Try(accept_nothing(*listener));
    Stream client = co_await Try(connect(listener->local()));
    NoDescriptorsLeft shortage;
    const std::uint64_t turns = Loop::current().stats().turns;
    co_await Try(accept_nothing(*listener));
    EXPECT_LT(Loop::current().stats().turns - turns, 50u) << "it spins";
    shortage.give_back(10);
    co_await Try(listener->accept());
    co_return absl::OkStatus();
  });
}

TEST(Listener, AShortageThatNeverEndsCostsOneAttemptABackOff) {
  SimFaults faults;
  faults.shortage = 1;
  on_sim_network(1, faults, []() -> Co<absl::Status> {
    absl::StatusOr<Listener> listener = listen(Address::loopback());
    Stream client = co_await Try(connect(listener->local()));
    const std::uint64_t fired = Loop::current().stats().timers_fired;
    co_await Try(accept_nothing(*listener));
    EXPECT_LE(Loop::current().stats().timers_fired - fired, 3u);
    static_cast<SimNetwork*>(Loop::current().network)->set_faults(SimFaults());
    co_await Try(listener->accept());
    co_return absl::OkStatus();
  });
}

TEST(Listener, AConnectionThatWasResetBeforeItWasAcceptedIsNoErrorOfTheListener) {
  on_real_sockets([]() -> Co<absl::Status> {
    absl::StatusOr<Listener> listener = listen(Address::loopback());
    {
      const Descriptor hasty(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_storage raw;
      const socklen_t length = listener->local().to_sockaddr(raw);
      EXPECT_EQ(connect(hasty.fd(), reinterpret_cast<const sockaddr*>(&raw), length), 0);
      const linger hard{1, 0};
      EXPECT_EQ(setsockopt(hasty.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    }
    // Linux hands it out all the same, and says so at the first read.
    Stream broken = co_await Try(listener->accept());
    std::array<char, 8> buffer;
    absl::StatusOr<std::size_t> none = co_await broken.read_some(buffer);
    EXPECT_EQ(none.status().code(), absl::StatusCode::kUnavailable) << none.status();
    co_return co_await gather(echo_server(*listener, 1), echo_clients(listener->local(), 1));
  });
}

}  // namespace
}  // namespace fermata

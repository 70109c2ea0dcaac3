// The simulated network: that it is deterministic, that its faults happen, that they look as the
// kernel's do.
#include "services/async/net/sim_network.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/net/buffered_reader.h"
#include "tests/async/net/net_testing.h"

namespace fermata {
namespace {

std::string* trace = nullptr;

Co<absl::Status> traced_pair() {
  auto [a, b] = stream_pair();
  co_return co_await gather(
      [](Stream& stream) -> Co<absl::Status> {
        for (int i = 0; i < 20; ++i) co_await Try(stream.write("some bytes"));
        co_return stream.shutdown_write();
      }(a),
      [](Stream& stream) -> Co<absl::Status> {
        for (;;) {
          std::array<char, 64> buffer;
          std::size_t got = co_await Try(stream.read_some(buffer));
          absl::StrAppend(trace, got, "@", absl::FormatTime(now()), " ");
          if (got == 0) co_return absl::OkStatus();
        }
      }(b));
}

std::string run_traced(std::uint64_t seed) {
  std::string text;
  trace = &text;
  on_sim_network(seed, SimFaults::rough(seed), traced_pair);
  return text;
}

TEST(SimNetwork, OneSeedIsOneHistoryAndSeedsDiffer) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    EXPECT_EQ(run_traced(seed), run_traced(seed));
    EXPECT_NE(run_traced(seed), run_traced(seed + 100));
  }
}

TEST(SimNetwork, BytesTakeTheirTimeAndComeInOrder) {
  SimFaults slow;
  slow.min_delay = absl::Seconds(1);
  slow.max_delay = absl::Seconds(2);
  on_sim_network(1, slow, []() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    const absl::Time start = now();
    for (char c = 'a'; c <= 'z'; ++c) co_await Try(a.write(std::string_view(&c, 1)));
    BufferedReader reader(b);
    std::string all = co_await Try(reader.read_exactly(26));
    EXPECT_EQ(all, "abcdefghijklmnopqrstuvwxyz");
    EXPECT_GE(now() - start, absl::Seconds(1));
    EXPECT_LE(now() - start, absl::Seconds(2));
    co_return absl::OkStatus();
  });
}

TEST(SimNetwork, AResetBreaksBothEndsAndLosesWhatWasUnderWay) {
  SimFaults faults;
  faults.min_delay = absl::Seconds(1);
  faults.max_delay = absl::Seconds(1);
  on_sim_network(1, faults, []() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    co_await Try(a.write("never arrives"));
    SimNetwork& network = *static_cast<SimNetwork*>(Loop::current().network);
    SimFaults broken;
    broken.reset = 1;
    network.set_faults(broken);
    absl::Status lost = co_await b.write("x");
    EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
    std::array<char, 32> buffer;
    absl::StatusOr<std::size_t> got = co_await b.read_some(buffer);
    EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable);
    got = co_await a.read_some(buffer);
    EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(network.resets(), 1u);
    co_return absl::OkStatus();
  });
}

// As Linux does it: the answer that was sent can still be read, and then comes the error.
TEST(SimNetwork, ClosingWithUnreadBytesIsAResetBehindWhatWasSent) {
  const auto scenario = []() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    co_await Try(a.write("?"));  // nobody reads it
    co_await Try(b.write("!"));
    b.close();
    BufferedReader reader(a);
    std::string answer = co_await Try(reader.read_exactly(1));
    EXPECT_EQ(answer, "!");
    absl::StatusOr<std::string> end = co_await reader.read_some(1);
    EXPECT_EQ(end.status().code(), absl::StatusCode::kUnavailable) << end.status();
    co_return absl::OkStatus();
  };
  on_every_network(scenario);
}

TEST(SimNetwork, RefusedConnectionsAndShortagesHappenAsOftenAsAskedFor) {
  SimFaults faults;
  faults.refuse = 0.3;
  faults.shortage = 0.3;
  on_sim_network(7, faults, []() -> Co<absl::Status> {
    absl::StatusOr<Listener> listener = listen(Address::loopback());
    int refused = 0;
    for (int i = 0; i < 1000; ++i) {
      absl::StatusOr<Stream> stream = co_await connect(listener->local());
      if (!stream.ok()) ++refused;
      if (stream.ok()) co_await Try(listener->accept());
    }
    EXPECT_GT(refused, 250);
    EXPECT_LT(refused, 350);
    co_return absl::OkStatus();
  });
}

TEST(SimNetwork, PeersThatBothWaitAreADeadlockThatNamesThem) {
  SimLoop loop(1);
  SimNetwork network(loop, 1);
  const absl::Status status = loop.run([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    std::array<char, 8> one;
    std::array<char, 8> other;
    co_await Try(gather(a.read_some(one), b.read_some(other)));
    co_return absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(std::string(status.message()).find("deadlock"), std::string::npos) << status;
}

TEST(SimNetwork, AListenerOfEveryAddressAnswersAtEach) {
  on_sim_network(1, SimFaults(), []() -> Co<absl::Status> {
    absl::StatusOr<Listener> listener = listen(*Address::parse("0.0.0.0:80"));
    EXPECT_TRUE(listener.ok()) << listener.status();
    Stream here = co_await Try(connect(*Address::parse("10.1.2.3:80")));
    absl::StatusOr<Stream> other_port = co_await connect(*Address::parse("10.1.2.3:81"));
    EXPECT_FALSE(other_port.ok());
    co_return absl::OkStatus();
  });
}

Co<absl::Status> fill_a_backlog() {
  ListenOptions options;
  options.backlog = 2;
  absl::StatusOr<Listener> listener = listen(Address::loopback(), options);
  Stream first = co_await Try(connect(listener->local()));
  Stream second = co_await Try(connect(listener->local()));
  absl::StatusOr<Stream> third = co_await timeout(absl::Minutes(1), connect(listener->local()));
  EXPECT_EQ(third.status().code(), absl::StatusCode::kDeadlineExceeded) << third.status();
  co_await Try(listener->accept());
  co_await Try(timeout(absl::Minutes(1), connect(listener->local())));
  co_return absl::OkStatus();
}

TEST(SimNetwork, AFullBacklogMakesNewcomersWait) { on_sim_network(1, SimFaults(), fill_a_backlog); }

}  // namespace
}  // namespace fermata

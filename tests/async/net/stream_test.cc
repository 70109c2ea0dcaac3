// Streams: the same scenarios on simulated links and on real sockets.
#include "services/async/net/stream.h"

#include <sys/socket.h>

#include <array>
#include <csignal>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/net/net_testing.h"

namespace fermata {
namespace {

// Different everywhere, so that nothing can be lost, doubled or swapped unseen.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

Co<absl::StatusOr<std::string>> read_to_end(Stream& stream) {
  std::string all;
  for (;;) {
    std::array<char, 700> buffer;
    std::size_t got = co_await Try(stream.read_some(buffer));
    if (got == 0) co_return all;
    all.append(buffer.data(), got);
  }
}

Co<absl::Status> send_all(Stream& stream, const std::string& bytes) {
  co_await Try(stream.write(bytes));
  co_return stream.shutdown_write();
}

Co<absl::Status> both_ways_at_once() {
  auto [a, b] = stream_pair();
  const std::string there = pattern(300'000);
  const std::string back = pattern(200'000);
  std::tuple<std::monostate, std::string, std::monostate, std::string> all =
      co_await Try(gather(send_all(a, there), read_to_end(b), send_all(b, back), read_to_end(a)));
  EXPECT_TRUE(std::get<1>(all) == there);
  EXPECT_TRUE(std::get<3>(all) == back);
  co_return absl::OkStatus();
}

TEST(Stream, ManyBytesBothWaysAtOnceArriveAsTheyWereSent) { on_every_network(both_ways_at_once); }

TEST(Stream, AWriterWaitsForItsReader) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    const std::string bytes = pattern(5'000'000);
    // More than any buffer holds, and nobody reads: it must still be waiting.
    absl::Status stuck = co_await timeout(absl::Milliseconds(50), a.write(bytes));
    EXPECT_EQ(stuck.code(), absl::StatusCode::kDeadlineExceeded);
    co_return absl::OkStatus();
  });
}

TEST(Stream, TheEndIsReadAgainAndAgain) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    EXPECT_TRUE(a.shutdown_write().ok());
    std::array<char, 8> buffer;
    for (int i = 0; i < 3; ++i) {
      std::size_t got = co_await Try(b.read_some(buffer));
      EXPECT_EQ(got, 0u);
    }
    // The other direction goes on.
    co_await Try(b.write("late"));
    std::string late;
    while (late.size() < 4) {
      std::size_t got = co_await Try(a.read_some(buffer));
      late.append(buffer.data(), got);
    }
    EXPECT_EQ(late, "late");
    co_return absl::OkStatus();
  });
}

TEST(Stream, BytesAndEndThatArriveTogetherAreBothSeen) {
  on_every_network([]() -> Co<absl::Status> {
    for (int round = 0; round < 20; ++round) {
      auto [a, b] = stream_pair();
      co_await Try(a.write("bye"));
      a.close();
      absl::StatusOr<std::string> all = co_await timeout(absl::Minutes(1), read_to_end(b));
      EXPECT_EQ(all.value_or("nothing"), "bye");
    }
    co_return absl::OkStatus();
  });
}

TEST(Stream, WritingToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    b.close();
    absl::Status status;
    for (int i = 0; i < 100 && status.ok(); ++i) status = co_await a.write("hello");
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    co_return absl::OkStatus();
  });
}

TEST(Stream, ACancelledReadTakesNothing) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    std::array<char, 8> buffer;
    absl::StatusOr<std::size_t> none = co_await timeout(absl::Milliseconds(1), b.read_some(buffer));
    EXPECT_EQ(none.status().code(), absl::StatusCode::kDeadlineExceeded);
    co_await Try(send_all(a, "still here"));
    std::string all = co_await Try(read_to_end(b));
    EXPECT_EQ(all, "still here");
    co_return absl::OkStatus();
  });
}

Co<absl::Status> read_with_timeouts(Stream& stream, const std::string& expected) {
  std::string all;
  while (all.size() < expected.size()) {
    std::array<char, 16> buffer;
    absl::StatusOr<std::size_t> got =
        co_await timeout(absl::Microseconds(300), stream.read_some(buffer));
    if (got.ok()) all.append(buffer.data(), *got);
    if (got.ok() && *got == 0) break;
  }
  EXPECT_EQ(all, expected);
  co_return absl::OkStatus();
}

Co<absl::Status> write_in_pieces(Stream& stream, const std::string& bytes) {
  for (std::size_t i = 0; i < bytes.size(); i += 10) {
    co_await Try(stream.write(std::string_view(bytes).substr(i, 10)));
    co_await sleep(absl::Microseconds(250));
  }
  co_return absl::OkStatus();
}

TEST(Stream, ReadsThatTimeOutAllTheTimeLoseNoByte) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    const std::string bytes = pattern(400);
    co_return co_await gather(write_in_pieces(a, bytes), read_with_timeouts(b, bytes));
  });
}

TEST(Stream, NothingToMoveDoesNotWait) {
  on_every_network([]() -> Co<absl::Status> {
    auto [a, b] = stream_pair();
    std::size_t got = co_await Try(b.read_some(std::span<char>()));
    EXPECT_EQ(got, 0u);
    co_await Try(a.write(""));
    co_return absl::OkStatus();
  });
}

// One task that could go on for ever lets the others run.
TEST(Stream, AReaderThatNeverHasToWaitLetsOthersRun) {
  on_real_sockets([]() -> Co<absl::Status> {
    co_return co_await with_group([](TaskGroup& group) -> Co<absl::Status> {
      auto [a, b] = stream_pair();
      const std::string bytes = pattern(4000);
      co_await Try(a.write(bytes));
      bool ran = false;
      group.spawn(
          [](bool* flag) -> Co<void> {
            *flag = true;
            co_return;
          },
          &ran);
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        char byte = 0;
        co_await Try(b.read_some(std::span<char>(&byte, 1)));
      }
      EXPECT_TRUE(ran);
      co_return absl::OkStatus();
    });
  });
}

TEST(StreamDeathTest, TwoReadersAtOnceAreRefused) {
  const auto two_readers = [] {
    SimLoop loop(0);
    SimNetwork network(loop, 0);
    (void)loop.run([]() -> Co<absl::Status> {
      auto [a, b] = stream_pair();
      std::array<char, 8> buffer;
      co_await Try(gather(a.read_some(buffer), a.read_some(buffer)));
      co_return absl::OkStatus();
    });
  };
  EXPECT_DEATH(two_readers(), "one reader");
}

TEST(Stream, OnlyStreamSocketsBecomeStreams) {
  on_real_sockets([]() -> Co<absl::Status> {
    Descriptor datagrams(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(stream_from_socket(std::move(datagrams)).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(stream_from_socket(Descriptor()).ok());
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

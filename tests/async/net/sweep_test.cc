// Streams, listeners and connecting, cancelled at every turn: simulated, on rough networks, and on
// real sockets. Nothing leaks, nothing is stuck, and what was not lost to a cancelled write is
// whole.
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/net/buffered_reader.h"
#include "tests/async/net/net_testing.h"

namespace fermata {
namespace {

using Scenario = Co<absl::Status> (*)();

// Cancelled before the first turn, before the second, …, until it has ended before that.
std::uint64_t cancel_at_every_turn_of_a_network(Scenario scenario) {
  std::uint64_t points = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    bool over = false;
    for (std::uint64_t turn = 0; !over; ++turn, ++points) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", cancelled at turn " + std::to_string(turn));
      const std::int64_t before = frame_pool_stats().live;
      {
        SimLoop loop(seed);
        SimNetwork network(loop, seed, seed == 0 ? SimFaults() : SimFaults::rough(seed));
        CancelScope scope;
        loop.at_turn(turn, [&scope] { scope.cancel(); });
        EXPECT_EQ(loop.run(run_in_scope<Scenario>, scope, scenario), absl::OkStatus());
        over = !loop.hook_called();
      }
      EXPECT_EQ(frame_pool_stats().live, before) << "frames leaked";
      if (::testing::Test::HasFailure()) return points;
    }
  }
  return points;
}

Co<void> cancel_after_yields(CancelScope* scope, int yields) {
  for (int i = 0; i < yields; ++i) co_await yield_now();
  scope->cancel();
}

Co<absl::Status> cancelled_after_yields(TaskGroup& group, Scenario scenario, int yields,
                                        bool* over) {
  CancelScope scope;
  Task<void> canceller = group.spawn(&cancel_after_yields, &scope, yields);
  Outcome<void> outcome = co_await scope.run(scenario());
  *over = !outcome.cancelled();
  canceller.cancel();
  co_return outcome.cancelled() ? absl::OkStatus() : outcome.status();
}

Co<absl::Status> cancelled_in_a_group(Scenario scenario, int yields, bool* over) {
  co_return co_await with_group(&cancelled_after_yields, scenario, yields, over);
}

// A loop that is busy asks the kernel every 64 steps: beyond them a prime stride meets every phase.
int next_point(int yields) { return yields < 64 ? yields + 1 : yields + 7; }

// On a real loop a turn is not to be seen; a task that yields counts steps instead.
std::uint64_t cancel_at_every_step_of_a_real_loop(Scenario scenario) {
  std::uint64_t points = 0;
  for (const LoopKind kind : loops_here()) {
    bool over = false;
    for (int yields = 0; !over; yields = next_point(yields), ++points) {
      SCOPED_TRACE(std::string(name_of(kind)) + ", after " + std::to_string(yields) + " yields");
      const std::int64_t before = frame_pool_stats().live;
      {
        std::unique_ptr<KernelLoop> loop = make_loop(kind);
        EXPECT_EQ(loop->run(&cancelled_in_a_group, scenario, yields, &over), absl::OkStatus());
        EXPECT_EQ(loop->stats().watched_fds, 0u);
      }
      EXPECT_EQ(frame_pool_stats().live, before) << "frames leaked";
      if (::testing::Test::HasFailure()) return points;
    }
  }
  return points;
}

void sweep(Scenario scenario, std::uint64_t least_turns, std::uint64_t least_steps) {
  EXPECT_GT(cancel_at_every_turn_of_a_network(scenario), least_turns);
  if (::testing::Test::HasFailure()) return;
  EXPECT_GT(cancel_at_every_step_of_a_real_loop(scenario), least_steps);
}

// ---- what is swept; a peer that is gone is no failure of the scenario

constexpr int kLines = 3;

Co<absl::Status> write_lines(Stream* stream) {
  const Counted counted;
  for (int i = 0; i < kLines; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    absl::Status written = co_await stream->write(line);
    if (!written.ok()) co_return absl::OkStatus();
  }
  (void)stream->shutdown_write();
  co_return absl::OkStatus();
}

Co<absl::Status> read_lines(Stream* stream) {
  const Counted counted;
  BufferedReader reader(*stream);
  for (int i = 0; i < kLines; ++i) {
    absl::StatusOr<std::string> line = co_await reader.read_line();
    if (!line.ok()) co_return absl::OkStatus();
    EXPECT_EQ(*line, "line " + std::to_string(i));
  }
  co_return absl::OkStatus();
}

Co<absl::Status> lines_both_ways() {
  std::pair<Stream, Stream> pair = stream_pair();
  co_return co_await gather(write_lines(&pair.first), read_lines(&pair.second),
                            write_lines(&pair.second), read_lines(&pair.first));
}

TEST(StreamSweep, LinesBothWays) { sweep(&lines_both_ways, 150, 1); }

Co<absl::Status> serve_one(Listener* listener) {
  absl::StatusOr<Stream> peer = co_await listener->accept();
  if (!peer.ok()) co_return absl::OkStatus();
  Stream stream = *std::move(peer);
  co_await Try(write_lines(&stream));
  // Until the client has read it all: to close at once may be a reset.
  std::array<char, 1> end{};
  absl::StatusOr<std::size_t> none = co_await stream.read_some(end);
  EXPECT_EQ(none.value_or(0), 0u);
  co_return absl::OkStatus();
}

Co<absl::Status> call_once(Listener* listener) {
  absl::StatusOr<Stream> server = co_await connect(listener->local());
  // Refused: nobody else will come, and gather() ends the accept() that would wait for ever.
  if (!server.ok()) co_return server.status();
  Stream stream = *std::move(server);
  co_return co_await read_lines(&stream);
}

Co<absl::Status> accept_and_connect() {
  absl::StatusOr<Listener> listener = listen(Address::loopback());
  if (!listener.ok()) co_return listener.status();
  absl::Status both = co_await gather(serve_one(&*listener), call_once(&*listener));
  co_return absl::IsUnavailable(both) ? absl::OkStatus() : both;
}

TEST(StreamSweep, AcceptAndConnect) { sweep(&accept_and_connect, 150, 3); }

// Gives up at last: a writer that met a fault has not said that there is no more.
Co<absl::Status> read_with_limits(Stream* stream) {
  BufferedReader reader(*stream);
  for (int attempt = 0; attempt < 100; ++attempt) {
    absl::StatusOr<std::string> line =
        co_await timeout(absl::Microseconds(200), reader.read_line());
    if (absl::IsDeadlineExceeded(line.status())) continue;
    if (!line.ok()) co_return absl::OkStatus();
    EXPECT_EQ(line->substr(0, 5), "line ");
  }
  co_return absl::OkStatus();
}

Co<absl::Status> timeouts_around_reads() {
  std::pair<Stream, Stream> pair = stream_pair();
  co_return co_await gather(write_lines(&pair.first), read_with_limits(&pair.second));
}

// Simulated only: on a real loop it would end when the clock says so.
TEST(StreamSweep, TimeoutsAroundReads) {
  EXPECT_GT(cancel_at_every_turn_of_a_network(&timeouts_around_reads), 200u);
}

// More than a socket takes at once, so that both ends wait in the kernel.
constexpr std::size_t kMuch = 500'000;

Co<absl::Status> write_much(Stream* stream) {
  const std::string much(kMuch, 'x');
  absl::Status written = co_await stream->write(much);
  if (written.ok()) (void)stream->shutdown_write();
  co_return absl::OkStatus();
}

Co<absl::Status> read_much(Stream* stream) {
  BufferedReader reader(*stream);
  absl::StatusOr<std::string> all = co_await reader.read_all(2 * kMuch);
  if (all.ok()) {
    EXPECT_EQ(all->size(), kMuch);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> much_both_ways() {
  std::pair<Stream, Stream> pair = stream_pair();
  co_return co_await gather(write_much(&pair.first), read_much(&pair.second),
                            write_much(&pair.second), read_much(&pair.first));
}

TEST(StreamSweep, MuchBothWaysThroughTheKernel) {
  EXPECT_GT(cancel_at_every_step_of_a_real_loop(&much_both_ways), 10u);
}

// A race for bytes takes them or leaves them.
Co<absl::Status> race_for_bytes() {
  std::pair<Stream, Stream> pair = stream_pair();
  std::pair<Stream, Stream> other = stream_pair();
  const std::string byte = "x";
  absl::Status one = co_await pair.first.write(byte);
  absl::Status two = co_await other.first.write(byte);
  if (!one.ok() || !two.ok()) co_return absl::OkStatus();
  std::array<char, 8> left{};
  std::array<char, 8> right{};
  using Read = absl::StatusOr<std::size_t>;
  RaceResult<Read, Read> first =
      co_await race(pair.second.read_some(left), other.second.read_some(right));
  EXPECT_FALSE(first.late<0>().has_value() || first.late<1>().has_value());
  Stream& rest = first.index() == 0 ? other.second : pair.second;
  absl::StatusOr<std::size_t> still_there = co_await rest.read_some(right);
  if (still_there.ok()) {
    EXPECT_EQ(*still_there, 1u);
  }
  co_return absl::OkStatus();
}

TEST(StreamSweep, ARaceForBytesLeavesTheOthers) { sweep(&race_for_bytes, 80, 1); }

}  // namespace
}  // namespace fermata

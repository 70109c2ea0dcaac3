// What the tasks of a turn write goes into the kernel together, where the loop does that
// (io_uring): in order, whole, and not at all if its writer was cancelled before.
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/net/net_testing.h"

namespace fermata {
namespace {

constexpr std::size_t kPairs = 200;

std::uint64_t batched() { return Loop::current().stats().batched_sends; }

// Other loops have nothing to batch; and this machine may have no io_uring.
void on_batching_loops(Co<absl::Status> (*scenario)()) {
  for (const LoopKind kind : loops_here()) {
    std::unique_ptr<KernelLoop> loop = make_loop(kind);
    EXPECT_EQ(loop->batches_sends(), kind == LoopKind::kIoUring);
    if (loop->batches_sends()) {
      EXPECT_EQ(loop->run(scenario), absl::OkStatus());
    }
  }
}

Co<void> write_line(Stream* stream, std::string line) {
  absl::Status written = co_await stream->write(line);
  EXPECT_TRUE(written.ok()) << written;
}

Co<std::string> read_now(Stream* stream) {
  std::array<char, 256> buffer;
  absl::StatusOr<std::size_t> got = co_await stream->read_some(buffer);
  EXPECT_TRUE(got.ok()) << got.status();
  co_return got.ok() ? std::string(buffer.data(), *got) : std::string();
}

Co<absl::Status> write_to_all(TaskGroup& group, std::vector<std::pair<Stream, Stream>>* pairs) {
  for (std::size_t i = 0; i < pairs->size(); ++i) {
    group.spawn(&write_line, &(*pairs)[i].first, std::to_string(i));
  }
  co_return absl::OkStatus();
}

Co<absl::Status> everybody_writes() {
  std::vector<std::pair<Stream, Stream>> pairs;
  for (std::size_t i = 0; i < kPairs; ++i) pairs.push_back(stream_pair());
  co_await Try(with_group(&write_to_all, &pairs));
  EXPECT_EQ(batched(), kPairs);
  for (std::size_t i = 0; i < kPairs; ++i) {
    std::string line = co_await read_now(&pairs[i].second);
    EXPECT_EQ(line, std::to_string(i));
  }
  co_return absl::OkStatus();
}

TEST(BatchedSend, EverybodysBytesArriveAndAllWentThatWay) { on_batching_loops(everybody_writes); }

Co<absl::Status> cancelled_before_it_went(TaskGroup& group, Stream* stream) {
  Task<void> writer = group.spawn(&write_line, stream, std::string("never"));
  while (batched() == 0) co_await yield_now();
  writer.cancel();
  Outcome<void> outcome = co_await std::move(writer);
  EXPECT_TRUE(outcome.cancelled());
  co_return absl::OkStatus();
}

Co<absl::Status> a_write_taken_back() {
  std::pair<Stream, Stream> pair = stream_pair();
  co_await Try(with_group(&cancelled_before_it_went, &pair.first));
  EXPECT_EQ(Loop::current().stats().watched_fds, 0u);
  co_await Try(pair.first.write("after"));
  std::string line = co_await read_now(&pair.second);
  EXPECT_EQ(line, "after");
  co_return absl::OkStatus();
}

TEST(BatchedSend, AWriterThatIsCancelledInTheSameTurnSendsNothing) {
  on_batching_loops(a_write_taken_back);
}

Co<absl::Status> write_and_end(Stream* stream, std::string bytes) {
  co_await Try(stream->write(bytes));
  co_return stream->shutdown_write();
}

Co<absl::StatusOr<std::string>> read_to_end(Stream* stream) {
  std::string all;
  for (;;) {
    std::array<char, 700> buffer;
    std::size_t got = co_await Try(stream->read_some(buffer));
    if (got == 0) co_return all;
    all.append(buffer.data(), got);
  }
}

Co<absl::Status> more_than_there_is_room_for() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const int small = 4096;
  EXPECT_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  absl::StatusOr<Stream> a = stream_from_socket(Descriptor(fds[0]));
  absl::StatusOr<Stream> b = stream_from_socket(Descriptor(fds[1]));
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) bytes += std::to_string(i);
  std::tuple<std::monostate, std::string> both =
      co_await Try(gather(write_and_end(&*a, bytes), read_to_end(&*b)));
  EXPECT_GT(batched(), 0u);
  EXPECT_TRUE(std::get<1>(both) == bytes);
  co_return absl::OkStatus();
}

TEST(BatchedSend, WhatFindsNoRoomFollowsInOrder) { on_batching_loops(more_than_there_is_room_for); }

Co<absl::Status> written_to_nobody() {
  std::pair<Stream, Stream> pair = stream_pair();
  pair.second.close();
  absl::Status status = co_await pair.first.write("hello");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(batched(), 1u);
  co_return absl::OkStatus();
}

TEST(BatchedSend, APeerThatIsGoneIsAnErrorAndNoSignal) { on_batching_loops(written_to_nobody); }

}  // namespace
}  // namespace fermata

// readable and writable, on every loop.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <variant>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/loops.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

using Io = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(Io);

class Pair {
 public:
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  ~Pair() {
    close(fds[0]);
    close(fds[1]);
  }
  int fds[2];
};

Co<absl::Status> echo(int fd, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    co_await Try(readable(fd));
    char byte = 0;
    if (read(fd, &byte, 1) != 1) co_return absl::InternalError("read");
    co_await Try(writable(fd));
    if (write(fd, &byte, 1) != 1) co_return absl::InternalError("write");
  }
  co_return absl::OkStatus();
}

Co<absl::Status> ping(int fd, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    const char out = static_cast<char>(i);
    if (write(fd, &out, 1) != 1) co_return absl::InternalError("write");
    co_await Try(readable(fd));
    char in = 0;
    if (read(fd, &in, 1) != 1 || in != out) co_return absl::InternalError("read");
  }
  co_return absl::OkStatus();
}

Co<absl::Status> ping_pong() {
  Pair pair;
  co_return co_await with_group(
      [](TaskGroup& group, int a, int b) -> Co<absl::Status> {
        group.spawn(echo, a, 100);
        co_return co_await ping(b, 100);
      },
      pair.fds[0], pair.fds[1]);
}

TEST_P(Io, TwoTasksTalkOverASocketPair) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run(ping_pong), absl::OkStatus());
  on_every_seed(ping_pong);
}

TEST_P(Io, ReaderAndWriterOfOneDescriptorWaitSideBySide) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    Pair pair;
    // Fill the buffer so that nothing can be written; nothing can be read either.
    char block[4096] = {};
    while (write(pair.fds[0], block, sizeof block) > 0) {
    }
    std::variant<absl::Status, std::monostate> neither =
        co_await race(writable(pair.fds[0]), sleep(absl::Milliseconds(5)));
    EXPECT_EQ(neither.index(), 1u);
    co_return co_await with_group(
        [](TaskGroup& group, int a, int b) -> Co<absl::Status> {
          Task<void> reads =
              group.spawn([](int fd) -> Co<absl::Status> { co_return co_await readable(fd); }, a);
          Task<void> writes =
              group.spawn([](int fd) -> Co<absl::Status> { co_return co_await writable(fd); }, a);
          co_await yield_now();
          EXPECT_FALSE(reads.done());
          const char byte = 1;
          EXPECT_EQ(write(b, &byte, 1), 1);
          co_await reads;
          EXPECT_FALSE(writes.done());
          char sink[65536];
          while (read(b, sink, sizeof sink) > 0) {
          }
          co_await writes;
          co_return absl::OkStatus();
        },
        pair.fds[0], pair.fds[1]);
  }),
            absl::OkStatus());
}

TEST_P(Io, ADescriptorClosedAndOpenedAgainIsWatchedAgain) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    for (int i = 0; i < 10; ++i) {
      Pair pair;  // the same numbers every time
      const char byte = 1;
      EXPECT_EQ(write(pair.fds[1], &byte, 1), 1);
      co_await Try(timeout(absl::Seconds(30), readable(pair.fds[0])));
    }
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST_P(Io, AFileIsAlwaysReadyAndABadDescriptorIsAnError) {
  const std::unique_ptr<KernelLoop> loop = make();
  EXPECT_EQ(loop->run([]() -> Co<absl::Status> {
    std::FILE* file = std::tmpfile();
    absl::Status ready = co_await readable(fileno(file));
    EXPECT_EQ(ready, absl::OkStatus());
    std::fclose(file);
    absl::Status bad = co_await readable(-1);
    EXPECT_EQ(bad.code(), absl::StatusCode::kInvalidArgument);
    absl::Status closed = co_await writable(900);
    EXPECT_EQ(closed.code(), absl::StatusCode::kInvalidArgument) << closed;
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

}  // namespace
}  // namespace fermata

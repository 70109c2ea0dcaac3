// Descriptor: owned descriptors, whose readiness the loop remembers.
#include "services/async/descriptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

struct Ends {
  Ends() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    a = Descriptor(fds[0]);
    b = Descriptor(fds[1]);
  }
  Descriptor a, b;
};

Co<absl::Status> bounce(Descriptor& end, int rounds) {
  for (int i = 0; i < rounds;) {
    char byte = 0;
    const ssize_t got = read(end.fd(), &byte, 1);
    if (got == 1) {
      ++i;
      if (write(end.fd(), &byte, 1) != 1) co_return absl::InternalError("write");
      continue;
    }
    if (got == 0 || errno != EAGAIN) co_return absl::InternalError("read");
    co_await Try(end.readable());
  }
  co_return absl::OkStatus();
}

Co<absl::Status> bounce_both_ways() {
  Ends ends;
  if (write(ends.a.fd(), "x", 1) != 1) co_return absl::InternalError("first write");
  co_return co_await with_group(
      [](TaskGroup& group, Descriptor& a, Descriptor& b) -> Co<absl::Status> {
        group.spawn(bounce, std::ref(a), 200);
        co_return co_await bounce(b, 200);
      },
      ends.a, ends.b);
}

TEST(Descriptor, CarriesAByteToAndFro) {
  EpollLoop loop;
  EXPECT_EQ(loop.run(bounce_both_ways), absl::OkStatus());
  on_every_seed(bounce_both_ways);
}

Co<absl::Status> close_while_waiting() {
  Ends ends;
  co_return co_await with_group(
      [](TaskGroup& group, Ends& ends) -> Co<absl::Status> {
        absl::Status seen = absl::OkStatus();
        Task<void> waits =
            group.spawn([](Descriptor& end,
                           absl::Status* seen) -> Co<void> { *seen = co_await end.readable(); },
                        std::ref(ends.a), &seen);
        for (int i = 0; i < 5; ++i) co_await yield_now();
        EXPECT_FALSE(waits.done());
        ends.a.close();
        co_await waits;
        EXPECT_EQ(seen.code(), absl::StatusCode::kInvalidArgument) << seen;
        co_return absl::OkStatus();
      },
      ends);
}

TEST(Descriptor, ClosedWhileWaitedForWakesTheWaiterWithAnError) {
  EpollLoop loop;
  EXPECT_EQ(loop.run(close_while_waiting), absl::OkStatus());
  on_every_seed(close_while_waiting);
}

TEST(Descriptor, MovesAndGivesItselfAway) {
  int fds[2] = {-1, -1};
  ASSERT_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  Descriptor first(fds[0]);
  const Descriptor writer(fds[1]);
  Descriptor second = std::move(first);
  EXPECT_FALSE(first.is_open());
  EXPECT_EQ(second.fd(), fds[0]);
  const int given = second.release();
  EXPECT_EQ(given, fds[0]);
  EXPECT_FALSE(second.is_open());
  {
    const Descriptor owner(given);
  }
  EXPECT_EQ(fcntl(given, F_GETFD), -1) << "the last owner did not close it";
}

}  // namespace
}  // namespace fermata

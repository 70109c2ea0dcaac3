// Descriptor: owned descriptors, whose readiness the loop remembers.
#include "services/async/descriptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/descriptor_ends.h"
#include "tests/async/loops.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

using Descriptors = OnEveryLoop;
INSTANTIATE_ON_EVERY_LOOP(Descriptors);

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

TEST_P(Descriptors, CarryAByteToAndFro) {
  EXPECT_EQ(make()->run(bounce_both_ways), absl::OkStatus());
}

TEST(Descriptor, CarriesAByteToAndFroUnderEverySeed) { on_every_seed(bounce_both_ways); }

TEST_P(Descriptors, RememberWhatComesWhileNobodyWaits) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    co_await acquaint(ends.a);
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    co_await let_the_loop_look();
    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
    EXPECT_TRUE(woke);
    EXPECT_EQ(read_all(ends.a), 1);
    // The read answered it: there is nothing to wake for now.
    woke = co_await wakes_within(ends.a, kRead, kNotAtAll);
    EXPECT_FALSE(woke);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST_P(Descriptors, AreReadyBeforeTheLoopKnowsThem) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
    EXPECT_TRUE(woke);
    woke = co_await wakes_within(ends.a, kWrite, kSoon);
    EXPECT_TRUE(woke);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

// One edge carries both: who takes the data, sees that there was no more and waits again must not
// wait for an edge that has been.
TEST_P(Descriptors, TellTheEndThatCameTogetherWithData) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    co_await acquaint(ends.a);
    EXPECT_EQ(write(ends.b.fd(), "xyz", 3), 3);
    EXPECT_EQ(shutdown(ends.b.fd(), SHUT_WR), 0);
    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
    EXPECT_TRUE(woke);
    EXPECT_EQ(read_all(ends.a), 3);
    for (int i = 0; i < 3; ++i) {  // the end stays
      woke = co_await wakes_within(ends.a, kRead, kSoon);
      EXPECT_TRUE(woke);
      EXPECT_EQ(read_all(ends.a), 0);
    }
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST_P(Descriptors, CanBeWaitedForAgainAfterALostRace) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    co_await acquaint(ends.a);
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    std::variant<absl::Status, absl::Status> one_of_two =
        co_await race(ends.a.readable(), ends.a.readable());
    (void)one_of_two;
    EXPECT_EQ(read_all(ends.a), 1);
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
    EXPECT_TRUE(woke);
    EXPECT_EQ(read_all(ends.a), 1);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

Co<void> wait_for(Descriptor& end, IoWatch::Interest interest, absl::Status* status) {
  if (interest == kRead) {
    *status = co_await end.readable();
  } else {
    *status = co_await end.writable();
  }
}

TEST_P(Descriptors, WakeTheReaderAndTheWriterEachForItsOwn) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    char block[4096] = {};
    while (write(ends.a.fd(), block, sizeof block) > 0) {
    }
    co_return co_await with_group(
        [](TaskGroup& group, Ends& ends) -> Co<absl::Status> {
          absl::Status read_status = absl::UnknownError("");
          absl::Status write_status = absl::UnknownError("");
          Task<void> reads = group.spawn(wait_for, std::ref(ends.a), kRead, &read_status);
          Task<void> writes = group.spawn(wait_for, std::ref(ends.a), kWrite, &write_status);
          co_await let_the_loop_look();
          EXPECT_FALSE(reads.done());
          EXPECT_FALSE(writes.done());
          EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
          co_await reads;
          EXPECT_EQ(read_status, absl::OkStatus());
          EXPECT_FALSE(writes.done());
          char sink[65536];
          while (read(ends.b.fd(), sink, sizeof sink) > 0) {
          }
          co_await writes;
          EXPECT_EQ(write_status, absl::OkStatus());
          co_return absl::OkStatus();
        },
        ends);
  }),
            absl::OkStatus());
}

TEST_P(Descriptors, CancelledWaitsCanBeBegunAgain) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    for (int i = 0; i < 50; ++i) {
      std::variant<absl::Status, std::monostate> first =
          co_await race(ends.a.readable(), yield_now());
      EXPECT_EQ(first.index(), 1u);
    }
    EXPECT_EQ(Loop::current().stats().watched_fds, 0u);
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
    EXPECT_TRUE(woke);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

// A wait by number asks the kernel how things are, whoever owns the descriptor.
TEST_P(Descriptors, MayAlsoBeWaitedForByNumber) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    Ends ends;
    co_await acquaint(ends.a);
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    for (int i = 0; i < 3; ++i) {
      absl::Status status = co_await timeout(kSoon, readable(ends.a.fd()));
      EXPECT_EQ(status, absl::OkStatus());
    }
    EXPECT_EQ(read_all(ends.a), 1);
    absl::Status nothing = co_await timeout(kNotAtAll, readable(ends.a.fd()));
    EXPECT_EQ(nothing.code(), absl::StatusCode::kDeadlineExceeded) << nothing;
    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
    EXPECT_TRUE(woke);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

Co<absl::Status> wait_for_end(Descriptor& end) {
  for (;;) {
    const ssize_t got = read_all(end);
    if (got == 0) co_return absl::OkStatus();
    co_await Try(end.readable());
  }
}

// More than fit into the queues of any ring, all ready at once.
TEST_P(Descriptors, MayBeManyAtOnce) {
  EXPECT_EQ(make()->run([]() -> Co<absl::Status> {
    std::vector<std::unique_ptr<Ends>> all;
    for (int i = 0; i < 400; ++i) all.push_back(std::make_unique<Ends>());
    co_return co_await with_group(
        [](TaskGroup& group, std::vector<std::unique_ptr<Ends>>& all) -> Co<absl::Status> {
          for (std::unique_ptr<Ends>& ends : all) group.spawn(wait_for_end, std::ref(ends->a));
          co_await let_the_loop_look();
          for (int round = 0; round < 3; ++round) {
            for (std::unique_ptr<Ends>& ends : all) {
              if (write(ends->b.fd(), "x", 1) != 1) co_return absl::InternalError("write");
            }
            co_await let_the_loop_look();
          }
          for (std::unique_ptr<Ends>& ends : all) ends->b.close();
          co_return absl::OkStatus();
        },
        all);
  }),
            absl::OkStatus());
}

TEST_P(Descriptors, MoveWithTheLoopToAnotherThread) {
  const std::unique_ptr<KernelLoop> loop = make();
  Ends ends;
  const auto once = [&loop, &ends] {
    EXPECT_EQ(loop->run(
                  [](Ends& ends) -> Co<absl::Status> {
                    co_await acquaint(ends.a);
                    EXPECT_EQ(write(ends.b.fd(), "x", 1), 1);
                    bool woke = co_await wakes_within(ends.a, kRead, kSoon);
                    EXPECT_TRUE(woke);
                    EXPECT_EQ(read_all(ends.a), 1);
                    co_return absl::OkStatus();
                  },
                  ends),
              absl::OkStatus());
  };
  once();
  std::thread(once).join();
  once();
}

TEST(Descriptor, MovesAndGivesItselfAway) {
  int fds[2] = {-1, -1};
  ASSERT_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  Descriptor first(fds[0]);
  const Descriptor writer(fds[1]);
  Descriptor second = std::move(first);
  EXPECT_FALSE(first.is_open());
  const int given = second.release();
  EXPECT_EQ(given, fds[0]);
  EXPECT_FALSE(second.is_open());
  Descriptor(given).close();
  EXPECT_EQ(fcntl(given, F_GETFD), -1) << "the last owner did not close it";
}

}  // namespace
}  // namespace fermata

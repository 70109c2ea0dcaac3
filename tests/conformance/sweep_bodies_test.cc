// The cancel-at-every-turn sweep over what runs bodies: tasks, offload, descriptors, timeout,
// shield, gather, race, quorum, for_each, groups in groups.
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"
#include "tests/conformance/sweep.h"

namespace fermata {
namespace {

// A body with something to destroy, whose clean-up takes time: in every combinator below.
struct Ends {
  int begun = 0;
  int ended = 0;
};

class InBody {
 public:
  explicit InBody(Ends* ends) : ends_(ends) { ++ends_->begun; }
  InBody(const InBody&) = delete;
  ~InBody() { ++ends_->ended; }

 private:
  Counted counted_;
  Ends* ends_;
};

Co<absl::StatusOr<int>> work(Ends* ends, int ms, int value) {
  InBody body(ends);
  co_await sleep(absl::Milliseconds(ms));
  co_await yield_now();
  if (value < 0) co_return absl::NotFoundError("negative");
  co_return value;
}

Co<absl::StatusOr<int>> tidy_work(Ends* ends, int ms, int value) {
  InBody body(ends);
  CancelScope scope;
  Outcome<int> outcome = co_await scope.run(work(ends, ms, value));
  co_await shield(sleep(absl::Milliseconds(1)));
  co_return std::move(outcome).to_status_or();
}

Co<void> all_ended(Ends* ends) {
  EXPECT_EQ(ends->begun, ends->ended);
  co_return;
}

TEST(Sweep, JoinOfATask) {
  sweep<Ends>(
      "join", 390,
      [](Ends* ends) -> Co<absl::Status> {
        co_return co_await with_group(
            [](TaskGroup& group, Ends* ends) -> Co<absl::Status> {
              Task<int> task = group.spawn(&tidy_work, ends, 2, 5);
              for (int i = 0; i < 3; ++i) {
                group.spawn(
                    [](Task<int> task, Ends* ends) -> Co<void> {
                      InBody body(ends);
                      Outcome<int> outcome = co_await task;
                      co_await yield_now();
                    },
                    task, ends);
              }
              Outcome<int> outcome = co_await std::move(task);
              co_return absl::OkStatus();
            },
            ends);
      },
      &all_ended);
}

TEST(Sweep, Offload) {
  sweep<Ends>(
      "offload", 350,
      [](Ends* ends) -> Co<absl::Status> {
        co_return co_await with_group(
            [](TaskGroup& group, Ends* ends) -> Co<absl::Status> {
              for (int i = 0; i < 3; ++i) {
                group.spawn(
                    [](Ends* ends) -> Co<void> {
                      InBody body(ends);
                      int twice = co_await offload(
                          [](Ends* ends, int n) {
                            InBody on_thread(ends);
                            return 2 * n;
                          },
                          ends, 21);
                      EXPECT_EQ(twice, 42);
                    },
                    ends);
              }
              co_return absl::OkStatus();
            },
            ends);
      },
      &all_ended);
}

struct Sockets {
  Sockets() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  ~Sockets() {
    close(fds[0]);
    close(fds[1]);
  }
  int fds[2];
  int sent = 0;
  int received = 0;
};

TEST(Sweep, ReadableAndWritable) {
  sweep<Sockets>(
      "readable, writable", 640,
      [](Sockets* sockets) -> Co<absl::Status> {
        co_return co_await with_group(
            [](TaskGroup& group, Sockets* sockets) -> Co<absl::Status> {
              group.spawn(
                  [](Sockets* sockets) -> Co<absl::Status> {
                    for (int i = 0; i < 5; ++i) {
                      co_await Try(readable(sockets->fds[0]));
                      char byte = 0;
                      if (read(sockets->fds[0], &byte, 1) == 1) ++sockets->received;
                    }
                    co_return absl::OkStatus();
                  },
                  sockets);
              for (int i = 0; i < 5; ++i) {
                co_await sleep(absl::Microseconds(10));
                co_await Try(writable(sockets->fds[1]));
                const char byte = 1;
                if (write(sockets->fds[1], &byte, 1) == 1) ++sockets->sent;
              }
              co_return absl::OkStatus();
            },
            sockets);
      },
      [](Sockets* sockets) -> Co<void> {
        // Nobody waits any more, so who waits now has every byte that is left.
        const char byte = 1;
        EXPECT_EQ(write(sockets->fds[1], &byte, 1), 1);
        ++sockets->sent;
        absl::Status status = co_await readable(sockets->fds[0]);
        EXPECT_TRUE(status.ok());
        char drain[16];
        sockets->received += static_cast<int>(read(sockets->fds[0], drain, sizeof drain));
        EXPECT_EQ(sockets->sent, sockets->received);
      });
}

TEST(Sweep, Timeout) {
  sweep<Ends>(
      "timeout", 280,
      [](Ends* ends) -> Co<absl::Status> {
        absl::StatusOr<int> in_time =
            co_await timeout(absl::Milliseconds(9), tidy_work(ends, 2, 1));
        absl::StatusOr<int> late = co_await timeout(
            absl::Milliseconds(2), timeout(absl::Milliseconds(2), tidy_work(ends, 9, 1)));
        co_await yield_now();
        absl::Status leaf = co_await timeout(absl::Milliseconds(1), sleep_an_hour());
        co_return absl::OkStatus();
      },
      &all_ended);
}

TEST(Sweep, Shield) {
  sweep<Ends>(
      "shield", 320,
      [](Ends* ends) -> Co<absl::Status> {
        const int before = ends->ended;
        absl::StatusOr<int> one = co_await shield(tidy_work(ends, 2, 1));
        EXPECT_EQ(*one, 1) << "a shielded body was cut short";
        EXPECT_EQ(ends->ended - before, 2);
        co_await yield_now();
        absl::StatusOr<int> two =
            co_await shield(timeout(absl::Milliseconds(1), shield(work(ends, 3, 2))));
        EXPECT_EQ(*two, 2);
        co_await yield_now();
        co_return absl::OkStatus();
      },
      &all_ended);
}

TEST(Sweep, Gather) {
  sweep<Ends>(
      "gather", 550,
      [](Ends* ends) -> Co<absl::Status> {
        absl::StatusOr<std::tuple<int, int, std::monostate>> all =
            co_await gather(work(ends, 2, 1), tidy_work(ends, 1, 2), sleep(absl::Milliseconds(1)));
        EXPECT_TRUE(!all.ok() || std::get<1>(*all) == 2);
        co_await yield_now();
        absl::StatusOr<std::tuple<int, int, int>> failed =
            co_await gather(work(ends, 5, 1), tidy_work(ends, 1, -1), tidy_work(ends, 7, 2));
        EXPECT_FALSE(failed.ok());
        co_return absl::OkStatus();
      },
      &all_ended);
}

TEST(Sweep, GatherSettled) {
  sweep<Ends>(
      "gather_settled", 330,
      [](Ends* ends) -> Co<absl::Status> {
        std::tuple<Outcome<int>, Outcome<int>, Outcome<void>> each = co_await gather_settled(
            work(ends, 2, 1), tidy_work(ends, 1, -1), sleep(absl::Milliseconds(3)));
        EXPECT_TRUE(!std::get<0>(each).ok() || *std::get<0>(each) == 1);
        co_await yield_now();
        co_return absl::OkStatus();
      },
      &all_ended);
}

TEST(Sweep, Race) {
  sweep<Ends>(
      "race", 510,
      [](Ends* ends) -> Co<absl::Status> {
        std::variant<absl::StatusOr<int>, absl::StatusOr<int>, std::monostate> first =
            co_await race(work(ends, 5, 1), tidy_work(ends, 2, 2), sleep_an_hour());
        EXPECT_TRUE(first.index() != 1 || !std::get<1>(first).ok() || *std::get<1>(first) == 2);
        co_await yield_now();
        std::variant<absl::StatusOr<int>, std::monostate> second =
            co_await race(shield(work(ends, 2, 3)), sleep(absl::Milliseconds(1)));
        co_await yield_now();
        co_return absl::OkStatus();
      },
      &all_ended);
}

TEST(Sweep, Quorum) {
  sweep<Ends>(
      "quorum", 680,
      [](Ends* ends) -> Co<absl::Status> {
        co_return co_await with_group(
            [](TaskGroup& group, Ends* ends) -> Co<absl::Status> {
              std::vector<Task<int>> votes;
              for (int i = 1; i <= 4; ++i) votes.push_back(group.spawn(&tidy_work, ends, i, i));
              absl::StatusOr<std::vector<int>> two = co_await quorum(2, votes);
              EXPECT_TRUE(two.ok());
              for (const Task<int>& vote : votes) EXPECT_FALSE(vote.done() && !vote.outcome().ok());
              co_await yield_now();
              co_return absl::OkStatus();
            },
            ends);
      },
      &all_ended);
}

struct Items : Ends {
  std::vector<int> items{1, 2, 3, 4, 5, 6};
  int running = 0;
};

TEST(Sweep, ForEach) {
  sweep<Items>(
      "for_each", 700,
      [](Items* all) -> Co<absl::Status> {
        using OnItem = Co<absl::Status> (*)(int, Items*);
        const OnItem on_item = [](int item, Items* all) -> Co<absl::Status> {
          struct Running {
            explicit Running(Items* all) : all(all) { EXPECT_LE(++all->running, 2); }
            ~Running() { --all->running; }
            Items* all;
          };
          Running running(all);
          co_await Try(tidy_work(all, item % 3, item));
          co_return absl::OkStatus();
        };
        co_return co_await for_each(all->items, 2, on_item, all);
      },
      [](Items* all) -> Co<void> {
        EXPECT_EQ(all->running, 0);
        co_await all_ended(all);
      });
}

Co<absl::Status> nest(TaskGroup& group, Ends* ends, int depth) {
  InBody body(ends);
  int local = depth;
  group.spawn(
      [](int* local, Ends* ends) -> Co<void> {
        InBody child(ends);
        CancelScope scope;
        Outcome<void> outcome = co_await scope.run(sleep(absl::Milliseconds(*local)));
        EXPECT_GE(*local, 0) << "the body's locals, until the child has ended";
        co_await yield_now();
      },
      &local, ends);
  if (depth > 0) co_await Try(with_group(&nest, ends, depth - 1));
  co_await sleep(absl::Milliseconds(5));
  co_return absl::OkStatus();
}

TEST(Sweep, GroupsInGroups) {
  sweep<Ends>(
      "groups", 520,
      [](Ends* ends) -> Co<absl::Status> { co_return co_await with_group(&nest, ends, 3); },
      &all_ended);
}

}  // namespace
}  // namespace fermata

// asyncio's run_coroutine_threadsafe (test_tasks.py): a thread runs a coroutine on the loop and
// waits for it. Row 66. It is two lines here over Loop::post and the root group: the test has them.
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

enum class How { kReturn, kFail, kCancelItself, kForEver };

Co<absl::StatusOr<int>> add(int a, int b, How how) {
  Counted counted;
  co_await sleep(absl::Microseconds(500));
  if (how == How::kFail) throw std::runtime_error("Fail!");
  if (how == How::kForEver) co_await sleep(absl::Hours(1));
  co_return a + b;
}

Co<void> answer(std::promise<Outcome<int>>* promise, Task<int> task) {
  Outcome<int> outcome = co_await task;
  promise->set_value(outcome);
}

// What a thread knows of a coroutine that it has sent to the loop. The handle is the loop's.
class Remote {
 public:
  Remote(EpollLoop& loop, How how) : loop_(loop) {
    loop_.post([this, how] {
      task_ = loop_.root().spawn(&settled, how);
      if (how == How::kCancelItself) task_.cancel();
      loop_.root().spawn(&answer, &promise_, task_);
    });
  }
  ~Remote() {
    std::promise<void> dropped;
    loop_.post([&] {
      task_ = Task<int>();
      dropped.set_value();
    });
    dropped.get_future().wait();
  }
  std::future<Outcome<int>> result() { return promise_.get_future(); }
  void cancel() {
    loop_.post([this] { task_.cancel(); });
  }

 private:
  // An error in the root group would end the run: it is told to the thread as a value.
  static Co<int> settled(How how) {
    std::tuple<Outcome<int>> each = co_await gather_settled(add(1, 2, how));
    co_await yield_now();
    const Outcome<int>& sum = std::get<0>(each);
    co_return sum.ok() ? *sum : -1;
  }

  EpollLoop& loop_;
  Task<int> task_;
  std::promise<Outcome<int>> promise_;
};

// Runs `target` on a thread beside a loop, and the loop until the thread has ended.
template <class F>
void beside_a_loop(F target) {
  EpollLoop loop;
  Event ended;
  std::thread thread([&] {
    target(loop);
    loop.post([&ended] { ended.set(); });
  });
  EXPECT_EQ(loop.run(
                [](Event* ended) -> Co<absl::Status> {
                  co_await ended->wait();
                  EXPECT_EQ(Loop::current().stats().live_tasks, 1u) << "main, and nobody else";
                  co_return absl::OkStatus();
                },
                &ended),
            absl::OkStatus());
  thread.join();
  EXPECT_EQ(Counted::live, 0);
}

// Row 66 (same).
TEST(AsyncioThreadsafe, RunCoroutineThreadsafe) {
  beside_a_loop([](EpollLoop& loop) {
    Remote remote(loop, How::kReturn);
    EXPECT_EQ(remote.result().get().value(), 3);
  });
}

TEST(AsyncioThreadsafe, RunCoroutineThreadsafeWithException) {
  beside_a_loop([](EpollLoop& loop) {
    Remote remote(loop, How::kFail);
    EXPECT_EQ(remote.result().get().value(), -1);
  });
}

TEST(AsyncioThreadsafe, RunCoroutineThreadsafeWithTimeout) {
  beside_a_loop([](EpollLoop& loop) {
    Remote remote(loop, How::kForEver);
    std::future<Outcome<int>> result = remote.result();
    EXPECT_EQ(result.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    remote.cancel();
    EXPECT_TRUE(result.get().cancelled()) << "and no task stays behind";
  });
}

TEST(AsyncioThreadsafe, RunCoroutineThreadsafeTaskCancelled) {
  beside_a_loop([](EpollLoop& loop) {
    Remote remote(loop, How::kCancelItself);
    EXPECT_TRUE(remote.result().get().cancelled());
  });
}

}  // namespace
}  // namespace fermata

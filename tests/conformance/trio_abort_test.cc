// Trio's test_run.py: operations that cannot stop at once. The leaf here answers abort() as Trio's
// wait_task_rescheduled lets one answer: FAILED, and reschedules later.
#include <coroutine>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

// Parks a coroutine until finish() is called, whatever happens around it.
class Stubborn {
 public:
  class [[nodiscard]] Wait final : public Suspension {
   public:
    explicit Wait(Stubborn& owner) noexcept : Suspension(&Wait::stop), owner_(&owner) {}
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      if (!park(detail::untyped(frame))) return;
      begun_ = true;
      owner_->waiting_ = this;
    }
    void await_resume() const noexcept {}

   private:
    friend class Stubborn;
    static bool stop(Suspension& self) noexcept {
      Wait& wait = static_cast<Wait&>(self);
      if (!wait.begun_) return true;
      ++wait.owner_->asked_;
      return false;
    }
    Stubborn* owner_;
    bool begun_ = false;
  };
  Wait wait() noexcept { return Wait(*this); }
  bool waiting() const noexcept { return waiting_ != nullptr; }
  int asked() const noexcept { return asked_; }
  void finish() noexcept { std::exchange(waiting_, nullptr)->released(); }

 private:
  Wait* waiting_ = nullptr;
  int asked_ = 0;
};

Co<void> stubborn_sleeper(Stubborn* stubborn, std::string* log) {
  Leaves leaves(*log, "left");
  *log += "sleep ";
  co_await stubborn->wait();
  *log += "woke ";
  co_await yield_now();
  *log += "went on ";
}

// test_failed_abort. In Trio the operation's result is delivered, and the next checkpoint fails;
// here the cancellation goes on as soon as the operation has let go.
TEST(TrioRun, FailedAbort) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Stubborn stubborn;
    std::string log;
    Task<void> task = group.spawn(&stubborn_sleeper, &stubborn, &log);
    co_await settle();
    EXPECT_EQ(log, "sleep ");
    task.cancel();
    task.cancel();
    co_await settle();
    EXPECT_EQ(log, "sleep ") << "the cancel did not wake it";
    EXPECT_TRUE(stubborn.waiting());
    EXPECT_EQ(stubborn.asked(), 1) << "it is asked once";
    stubborn.finish();
    Outcome<void> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "sleep left ");
    co_return absl::OkStatus();
  });
}

// Finished first, cancelled afterwards in the same step: the wake-up was given.
TEST(TrioRun, FinishedBeforeItIsCancelled) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Stubborn stubborn;
    std::string log;
    Task<void> task = group.spawn(&stubborn_sleeper, &stubborn, &log);
    co_await settle();
    stubborn.finish();
    task.cancel();
    Outcome<void> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_EQ(log, "sleep woke left ");
    EXPECT_EQ(stubborn.asked(), 0);
    co_return absl::OkStatus();
  });
}

// Begun in a scope that is cancelled already it does not begin.
TEST(TrioRun, AnOperationInACancelledScopeDoesNotBegin) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Stubborn stubborn;
    Task<void> task;
    task = group.spawn(
        [](Stubborn* stubborn, Task<void>* self) -> Co<void> {
          self->cancel();
          co_await stubborn->wait();
        },
        &stubborn, &task);
    Outcome<void> outcome = co_await task;
    EXPECT_TRUE(outcome.cancelled());
    EXPECT_FALSE(stubborn.waiting());
    co_return absl::OkStatus();
  });
}

// test_slow_abort_basic: the frames above it wait, level by level, up to the boundary.
TEST(TrioRun, SlowAbortBasic) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Stubborn stubborn;
    std::string log;
    group.spawn(
        [](Stubborn* stubborn) -> Co<void> {
          co_await sleep(absl::Seconds(5));
          stubborn->finish();
        },
        &stubborn);
    const absl::Time start = now();
    absl::Status status = co_await timeout(absl::Seconds(1), stubborn_sleeper(&stubborn, &log));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(now() - start, absl::Seconds(5));
    EXPECT_EQ(log, "sleep left ");
    co_return absl::OkStatus();
  });
}

// test_slow_abort_edge_cases: cancelled while it lingers, by each scope around it in turn; among
// siblings that stop at once; and inside a shield.
TEST(TrioRun, SlowAbortEdgeCases) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    Stubborn stubborn;
    std::string log;
    group.spawn(
        [](Stubborn* stubborn) -> Co<void> {
          for (int i = 0; i < 2; ++i) {
            co_await sleep(absl::Seconds(10));
            EXPECT_TRUE(stubborn->waiting());
            stubborn->finish();
          }
        },
        &stubborn);
    const absl::Time start = now();
    CancelScope outer(start + absl::Seconds(3));
    Outcome<void> outcome =
        co_await outer.run([](Stubborn* stubborn, std::string* log) -> Co<void> {
          absl::Status inner = co_await timeout(
              absl::Seconds(1),
              gather(stubborn_sleeper(stubborn, log), sleep_an_hour(), sleep_an_hour()));
          *log += "the inner timeout reported";
        }(&stubborn, &log));
    EXPECT_EQ(outcome.reason(), CancelReason::kDeadline);
    EXPECT_EQ(now() - start, absl::Seconds(10));
    EXPECT_EQ(log, "sleep left ");
    EXPECT_EQ(stubborn.asked(), 1);
    log.clear();
    CancelScope around(now() + absl::Seconds(1));
    outcome = co_await around.run(shield(stubborn_sleeper(&stubborn, &log)));
    EXPECT_EQ(log, "sleep woke went on left ") << "a shield lets it go on";
    EXPECT_EQ(stubborn.asked(), 1);
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata

// Signals as things to await, and Ctrl-C in good order.
#include "services/async/process/signals.h"

#include <signal.h>

#include <utility>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/process/run_until_signal.h"

namespace fermata {
namespace {

void (*handler_of(int signal))(int) {
  struct sigaction now{};
  sigaction(signal, nullptr, &now);
  return now.sa_handler;
}

TEST(Signals, ComeInOrderAndAreKeptWhileNobodyAwaits) {
  EpollLoop loop;
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    absl::StatusOr<SignalSet> signals = SignalSet::make({SIGUSR1, SIGUSR2});
    for (const int sent : {SIGUSR1, SIGUSR2, SIGUSR2, SIGUSR1}) raise(sent);
    for (const int expected : {SIGUSR1, SIGUSR2, SIGUSR2, SIGUSR1}) {
      int signal = co_await signals->next();
      EXPECT_EQ(signal, expected);
    }
    absl::StatusOr<int> none = co_await timeout(absl::Milliseconds(1), signals->next());
    EXPECT_TRUE(absl::IsDeadlineExceeded(none.status()));
    raise(SIGUSR1);
    int late = co_await signals->next();
    EXPECT_EQ(late, SIGUSR1);
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST(Signals, BelongToOneSetAndEverythingIsAsBeforeInTheEnd) {
  ASSERT_EQ(handler_of(SIGUSR1), SIG_DFL);
  {
    absl::StatusOr<SignalSet> first = SignalSet::make({SIGUSR1});
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(SignalSet::make({SIGUSR2, SIGUSR1}).status().code(),
              absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(handler_of(SIGUSR2), SIG_DFL) << "half a set was left behind";
    const SignalSet moved = *std::move(first);
    EXPECT_NE(handler_of(SIGUSR1), SIG_DFL);
  }
  EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
  EXPECT_TRUE(SignalSet::make({SIGUSR1}).ok());
  EXPECT_FALSE(SignalSet::make({SIGKILL}).ok());
  EXPECT_FALSE(SignalSet::make({0}).ok());
  EXPECT_FALSE(SignalSet::make({4096}).ok());
}

Co<absl::Status> cleaned_up_on_sigint(bool* cleaned) {
  raise(SIGINT);
  CancelScope scope;
  Outcome<void> outcome = co_await scope.run(sleep(absl::InfiniteDuration()));
  EXPECT_EQ(outcome.reason(), CancelReason::kRequested);
  co_await shield(sleep(absl::Milliseconds(1)));
  *cleaned = true;
  co_return outcome.status();
}

TEST(RunUntilSignal, TheFirstSignalCancelsMainWhichCleansUp) {
  bool cleaned = false;
  const absl::Status status = run_until_signal(cleaned_up_on_sigint, &cleaned);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_TRUE(cleaned);
  EXPECT_EQ(handler_of(SIGINT), SIG_DFL);
}

TEST(RunUntilSignal, WithoutASignalTheStatusIsThatOfMain) {
  const auto main = [](int code) -> Co<absl::Status> {
    co_return absl::Status(static_cast<absl::StatusCode>(code), "as asked");
  };
  EXPECT_EQ(run_until_signal(main, 5).code(), absl::StatusCode::kNotFound);
}

TEST(RunUntilSignalDeathTest, TheSecondSignalEndsTheProcessEvenIfTheLoopIsStuck) {
  const auto stuck = []() -> Co<absl::Status> {
    raise(SIGINT);
    raise(SIGINT);  // no turn of the loop between the two
    co_return absl::OkStatus();
  };
  EXPECT_EXIT((void)run_until_signal(stuck), ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace fermata

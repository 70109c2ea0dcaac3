#include "services/engine/state_machine.h"

#include <set>
#include <utility>

#include "gtest/gtest.h"

namespace fermata {
namespace {

using enum JobState;

TEST(StateMachine, AllowsExactlyTheseTransitions) {
  const std::set<std::pair<JobState, JobState>> allowed = {
      {kUnspecified, kScheduled}, {kUnspecified, kPending}, {kScheduled, kPending},
      {kScheduled, kCancelled},   {kScheduled, kExpired},   {kPending, kRunning},
      {kPending, kSuspended},     {kPending, kCancelled},   {kPending, kExpired},
      {kSuspended, kPending},     {kSuspended, kCancelled}, {kSuspended, kExpired},
      {kRunning, kBackingOff},    {kRunning, kCancelling},  {kRunning, kSucceeded},
      {kRunning, kFailed},        {kRunning, kExpired},     {kBackingOff, kRunning},
      {kBackingOff, kCancelling}, {kBackingOff, kExpired},  {kCancelling, kSucceeded},
      {kCancelling, kFailed},     {kCancelling, kExpired},  {kCancelling, kCancelled},
  };
  for (size_t from = 0; from < kJobStates; ++from) {
    for (size_t to = 0; to < kJobStates; ++to) {
      const auto pair = std::pair(static_cast<JobState>(from), static_cast<JobState>(to));
      EXPECT_EQ(may_follow(pair.first, pair.second), allowed.count(pair) == 1)
          << to_string(pair.first) << " to " << to_string(pair.second);
    }
  }
}

TEST(StateMachine, NothingFollowsAFinalState) {
  for (size_t from = 0; from < kJobStates; ++from) {
    if (!is_finished(static_cast<JobState>(from))) continue;
    for (size_t to = 0; to < kJobStates; ++to) {
      EXPECT_FALSE(may_follow(static_cast<JobState>(from), static_cast<JobState>(to)));
    }
  }
}

TEST(StateMachineDeathTest, AnIllegalTransitionAborts) {
  EXPECT_DEATH(check_transition(kSucceeded, kRunning), "SUCCEEDED cannot become RUNNING");
}

}  // namespace
}  // namespace fermata

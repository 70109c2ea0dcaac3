// JobState: where a job is in its life, in the words of AIP-216, and what its stages can be.
//
// Which state may follow which is the engine's business (services/engine/state_machine.h); the
// store only needs to know which ones are final. Numbers are those of the public API and of stored
// records: never reuse one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fermata {

enum class JobState : uint8_t {
  kUnspecified = 0,
  kScheduled = 1,
  kPending = 2,
  kRunning = 3,
  kBackingOff = 4,
  kSuspended = 5,
  kCancelling = 6,
  kSucceeded = 7,
  kFailed = 8,
  kCancelled = 9,
  kExpired = 10,
};
inline constexpr size_t kJobStates = 11;

inline constexpr std::array<std::string_view, kJobStates> kJobStateNames = {
    "STATE_UNSPECIFIED", "SCHEDULED", "PENDING", "RUNNING",   "BACKING_OFF", "SUSPENDED",
    "CANCELLING",        "SUCCEEDED", "FAILED",  "CANCELLED", "EXPIRED"};

constexpr std::string_view to_string(JobState state) {
  return kJobStateNames[static_cast<size_t>(state)];
}
// A finished job never changes again.
constexpr bool is_finished(JobState state) { return state >= JobState::kSucceeded; }

enum class StageState : uint8_t {
  kUnspecified = 0,
  kWaiting = 1,
  kRunning = 2,
  kSucceeded = 3,
  kFailed = 4,
  kSkipped = 5,
  kCancelled = 6,
};

inline constexpr std::array<std::string_view, 7> kStageStateNames = {
    "STATE_UNSPECIFIED", "WAITING", "RUNNING", "SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED"};

constexpr std::string_view to_string(StageState state) {
  return kStageStateNames[static_cast<size_t>(state)];
}

}  // namespace fermata

#include "services/engine/state_machine.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "services/async/check.h"

namespace fermata {
namespace {

constexpr uint32_t one_of() { return 0; }
template <class... S>
constexpr uint32_t one_of(JobState state, S... more) {
  return uint32_t{1} << static_cast<uint32_t>(state) | one_of(more...);
}

using enum JobState;

// Indexed by the state a job is in; kUnspecified is a job that does not exist yet.
constexpr std::array<uint32_t, kJobStates> kNext = {
    /* kUnspecified */ one_of(kScheduled, kPending),
    /* kScheduled   */ one_of(kPending, kCancelled, kExpired),
    /* kPending     */ one_of(kRunning, kSuspended, kCancelled, kExpired),
    /* kRunning     */ one_of(kBackingOff, kCancelling, kSucceeded, kFailed, kExpired),
    /* kBackingOff  */ one_of(kRunning, kCancelling, kExpired),
    /* kSuspended   */ one_of(kPending, kCancelled, kExpired),
    /* kCancelling  */ one_of(kSucceeded, kFailed, kExpired, kCancelled),
    /* kSucceeded   */ one_of(),
    /* kFailed      */ one_of(),
    /* kCancelled   */ one_of(),
    /* kExpired     */ one_of(),
};

}  // namespace

bool may_follow(JobState from, JobState to) {
  return (kNext[static_cast<size_t>(from)] >> static_cast<uint32_t>(to) & 1) != 0;
}

void check_transition(JobState from, JobState to) {
  if (may_follow(from, to)) return;
  const std::string_view was = to_string(from), is = to_string(to);
  std::fprintf(stderr, "job state %.*s cannot become %.*s\n", static_cast<int>(was.size()),
               was.data(), static_cast<int>(is.size()), is.data());
  FERMATA_CHECK(may_follow(from, to), "an illegal job state transition; see state_machine.h");
}

}  // namespace fermata

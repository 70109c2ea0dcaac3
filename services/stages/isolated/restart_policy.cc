#include "services/stages/isolated/restart_policy.h"

#include <algorithm>

#include "absl/random/uniform_int_distribution.h"

namespace fermata {

RestartPolicy::Verdict RestartPolicy::crashed(int64_t now_ns, absl::BitGenRef random) {
  if (now_ns - started_ns_ >= kHealthyNs) {
    in_a_row_ = 0;
    on_trial_ = false;
  }
  crashes_ns_[crashes_ % kCrashesMax] = now_ns;
  ++crashes_;
  const int64_t first_of_five_ns = crashes_ns_[crashes_ % kCrashesMax];  // if there are five
  const bool loop = crashes_ >= kCrashesMax && now_ns - first_of_five_ns <= kWindowNs;
  if (on_trial_ || loop) {
    const int64_t open_ns = open_ns_;
    open_ns_ = std::min(2 * open_ns_, kOpenLongestNs);
    on_trial_ = true;
    crashes_ = 0;
    in_a_row_ = 0;
    ++openings_;
    return {open_ns, true, openings_ >= limits_.openings_max};
  }
  ++in_a_row_;
  const int doublings = std::min(in_a_row_, 20);
  const int64_t cap_ns = std::min(kLongestNs, kFirstNs << doublings);
  return {absl::uniform_int_distribution<int64_t>(0, cap_ns)(random), false, false};
}

}  // namespace fermata

// RestartPolicy: when a plugin's process that died is started again.
//
// After the n-th crash in a row, any time up to min(30 s, 100 ms * 2^n): full jitter, so that many
// plugins that died together do not come back together. A process that lived for a minute starts
// the row anew. Five crashes within a minute open the breaker: nothing is started for a while, then
// one process on trial; if that one dies before a call of it has ended well, the breaker opens
// again, for twice as long. When that has happened `openings_max` times in a row the plugin is
// disabled: nothing is started any more. Pure arithmetic on the loop's clock; one per version of a
// plugin, so loading it again begins anew.
#ifndef SERVICES_STAGES_ISOLATED_RESTART_POLICY_H_
#define SERVICES_STAGES_ISOLATED_RESTART_POLICY_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/random/bit_gen_ref.h"

namespace fermata {

struct RestartLimits {
  int64_t open_ns = 30'000'000'000;  // how long the breaker is open at first
  int openings_max = 6;              // with the doublings, about 25 minutes of crashes
};

class RestartPolicy {
 public:
  static constexpr int64_t kFirstNs = 100'000'000;
  static constexpr int64_t kLongestNs = 30'000'000'000;
  static constexpr int64_t kHealthyNs = 60'000'000'000;
  static constexpr int64_t kWindowNs = 60'000'000'000;
  static constexpr size_t kCrashesMax = 5;
  static constexpr int64_t kOpenLongestNs = 600'000'000'000;

  explicit RestartPolicy(RestartLimits limits = RestartLimits())
      : limits_(limits), open_ns_(limits.open_ns) {}

  void started(int64_t now_ns) { started_ns_ = now_ns; }
  // A call has ended well: the trial is over, if there is one.
  void proved_good() {
    on_trial_ = false;
    open_ns_ = limits_.open_ns;
    openings_ = 0;
  }
  struct Verdict {
    int64_t wait_ns;        // until the next start
    bool breaker_open;      // meanwhile the plugin is unavailable; otherwise calls wait for it
    bool disabled = false;  // there is no next start
  };
  Verdict crashed(int64_t now_ns, absl::BitGenRef random);

 private:
  const RestartLimits limits_;
  std::array<int64_t, kCrashesMax> crashes_ns_{};  // the last ones, as a ring
  size_t crashes_ = 0;
  int in_a_row_ = 0;
  int64_t started_ns_ = 0;
  int64_t open_ns_;
  int openings_ = 0;  // since a call ended well
  bool on_trial_ = false;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_RESTART_POLICY_H_

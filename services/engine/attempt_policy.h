// AttemptPolicy: what follows an attempt of a call that did not succeed.
//
//   the stage ended it       again, if it says so and the pipeline's retry policy has one left
//   preempted                again, free of charge: it ended for no fault of its own. At once, or
//                            when there is a process for it (retry_after)
//   its process died in it   a strike against the job; again at once until the third, then never: a
//                            job that kills whatever runs it must not go round for ever. Only if
//                            the stage may be run twice: as `if_lost` says, or else the stage does
//                            (retryable)
//
// With `if_lost: fail` an attempt is followed by another only if the stage itself ended it, or was
// never entered: not after a crash, its version's end or a timeout, since how far it got is
// unknown.
//
// Nothing is tried again that could begin only after the job's deadline. One per call.
#pragma once

#include <string_view>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "services/pipeline/pipeline.h"
#include "services/stages/stages.h"

namespace fermata {

class AttemptPolicy {
 public:
  static constexpr int kStrikesMax = 3;
  // Crashes of others that a call survives without being charged for an attempt.
  static constexpr int kSparedMax = 100;

  // `job_strikes`: of all calls of the job together.
  AttemptPolicy(const RetryPolicy& retry, IfLost if_lost, absl::Time job_deadline, int& job_strikes)
      : retry_(retry), if_lost_(if_lost), job_deadline_(job_deadline), job_strikes_(job_strikes) {}

  struct Verdict {
    bool again = false;
    bool free = false;  // the next one has the same number as this one
    absl::Duration delay = absl::ZeroDuration();
    std::string_view reason;  // of the job, if it fails by this; empty: as without this class
  };
  // `attempts`: made so far, this one included. Not for one that was ok.
  Verdict after(const StageOutcome& outcome, int attempts, absl::Time now, absl::BitGenRef random);

 private:
  const RetryPolicy& retry_;
  const IfLost if_lost_;
  const absl::Time job_deadline_;
  int& job_strikes_;
  int spared_ = 0;
};

}  // namespace fermata

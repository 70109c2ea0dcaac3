// SIGTERM and SIGINT: the first one asks for an orderly end, the second one ends the process at
// once.
//
// Installed before anything else starts, so that a signal during start-up counts too. Handlers do
// only what is safe in them: the first signal writes to an eventfd that a coroutine waits for; the
// second one, which must work even when the loop is stuck, calls _exit. A deadline set with
// arm_watchdog() ends a process whose orderly end does not come to an end by itself.
//
// Process-wide by nature, so there is one of it; main() owns it.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/async/async.h"

namespace fermata {

class Signals {
 public:
  // Fails only when the kernel is out of descriptors.
  static absl::Status install();

  //   wakes when   the first SIGTERM or SIGINT has arrived, also when that was before the call
  //   on cancel    returns at once; the signal is kept for the next call
  //   on shutdown  like cancel
  static Co<absl::Status> wait();

  // Whether wait() would return at once. Any thread.
  static bool arrived();

  // The process prints why and exits with kStuck after `limit`, unless it has ended by then.
  static void arm_watchdog(absl::Duration limit);

  static constexpr int kSecondSignal = 130;  // exit codes
  static constexpr int kStuck = 131;
};

}  // namespace fermata

// SimOptions: how unkind a simulation is to the code in it. All off: time is exact and nothing odd
// happens but the order. Percentages and limits, drawn from the loop's seed; seed 0 ignores them.
#ifndef SERVICES_ASYNC_SIM_OPTIONS_H_
#define SERVICES_ASYNC_SIM_OPTIONS_H_

#include "absl/time/time.h"

namespace fermata {

struct SimOptions {
  // So many of the jumps to the next timer go too far, by any order of magnitude up to this: timers
  // are mostly a little late, and rarely very late.
  int late_percent = 0;
  absl::Duration latest = absl::Seconds(10);
  // Up to so much time goes by between two turns while tasks are ready, so timers fire among them.
  absl::Duration turn_time = absl::ZeroDuration();
  // buggify() (buggify.h): so many of its places are in use in a run, and those fire so often.
  int buggify_places_percent = 0;
  int buggify_fires_percent = 25;

  static SimOptions hostile() {
    SimOptions options;
    options.late_percent = 25;
    options.turn_time = absl::Milliseconds(1);
    options.buggify_places_percent = 25;
    return options;
  }
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_SIM_OPTIONS_H_

// Clock: what time it is, for records and deadlines. Timers are the Loop's.
//
// Time enters through this interface so that a simulation decides it. LoopClock is the usual one:
// the loop's wall-anchored clock, which never goes back.
#pragma once

#include "absl/time/time.h"
#include "services/async/loop.h"

namespace fermata {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time now() const = 0;
};

class LoopClock final : public Clock {
 public:
  explicit LoopClock(Loop& loop) : loop_(loop) {}
  absl::Time now() const override { return loop_.now(); }

 private:
  Loop& loop_;
};

}  // namespace fermata

// Admission: how much the engine holds, and the door that closes at the limit.
//
// Counts unfinished jobs and the bytes of their inputs, stage outputs and results. A submit is
// refused at a limit; a running job whose output does not fit fails. So memory is bounded by
// configuration and not by the goodwill of clients. Loop thread only.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "services/engine/engine_limits.h"

namespace fermata {

class Admission {
 public:
  explicit Admission(const EngineLimits& limits) : limits_(limits) {}

  // Takes one more job in, or says why not.
  absl::Status admit(size_t bytes);
  // A job that was let in before the engine was opened: limits are for new ones.
  void admit_stored(size_t bytes);
  // More bytes for a job that is in; false: it does not fit, nothing was taken.
  bool grow(size_t bytes);
  // The job has ended; `bytes` is all it took.
  void release(size_t bytes);

  size_t jobs() const { return jobs_; }
  size_t bytes() const { return bytes_; }

 private:
  const EngineLimits& limits_;
  size_t jobs_ = 0;
  size_t bytes_ = 0;
};

}  // namespace fermata

#include "services/engine/admission.h"

#include "services/async/check.h"
#include "services/engine/errors.h"

namespace fermata {

absl::Status Admission::admit(size_t bytes) {
  if (jobs_ >= limits_.jobs) {
    return limit_reached("TOO_MANY_JOBS", "limits.jobs", static_cast<int64_t>(limits_.jobs),
                         static_cast<int64_t>(jobs_), limits_.retry_delay);
  }
  if (!grow(bytes)) {
    return limit_reached("TOO_MANY_BYTES", "limits.bytes", static_cast<int64_t>(limits_.bytes),
                         static_cast<int64_t>(bytes_), limits_.retry_delay);
  }
  ++jobs_;
  return absl::OkStatus();
}

void Admission::admit_stored(size_t bytes) {
  ++jobs_;
  bytes_ += bytes;
}

bool Admission::grow(size_t bytes) {
  if (bytes > limits_.bytes || bytes_ > limits_.bytes - bytes) return false;
  bytes_ += bytes;
  return true;
}

void Admission::release(size_t bytes) {
  FERMATA_CHECK(jobs_ > 0, "a job left that was never let in");
  FERMATA_CHECK(bytes_ >= bytes, "a job gives back more bytes than all jobs hold");
  --jobs_;
  bytes_ -= bytes;
}

}  // namespace fermata

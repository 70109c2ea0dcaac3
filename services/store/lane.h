// The order in which unfinished jobs of a queue have their turn, and pages of it.
//
//   queue "default":  priority 5: job job job   the highest priority first, equals by age
//                     priority 0: job job       (their ids ascend)
//
// Plain data, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "services/store/job_key.h"
#include "services/store/job_record.h"

namespace fermata {

// A place in the order; there need not be a job in it.
struct LanePlace {
  int32_t priority = 0;
  std::string id;

  static LanePlace of(const JobSpec& spec) { return {spec.priority, spec.id}; }
  // The first one behind that of this job.
  static LanePlace behind(const JobSpec& spec) {
    return {spec.priority, id_floor(key_of(spec.id).value_or(0) + 1)};
  }
  // Whether the job's place is before this one.
  bool is_after(const JobSpec& spec) const {
    return spec.priority != priority ? spec.priority > priority : spec.id < id;
  }
};

// The queue has this many unfinished jobs.
struct StoredLane {
  std::string queue;
  size_t jobs = 0;
};

struct LanePage {
  std::vector<JobView> jobs;  // in their order
  bool more = false;          // there may be others behind the last
};

// A place in the order of deadlines, equals by age.
struct DuePlace {
  absl::Time deadline = absl::InfinitePast();
  std::string id;  // "": before every job with this deadline
};

struct DuePage {
  std::vector<JobView> jobs;                 // the earliest deadline first
  bool more = false;                         // there may be others that are due
  absl::Time next = absl::InfiniteFuture();  // the earliest deadline that is not yet due
};

}  // namespace fermata

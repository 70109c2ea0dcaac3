// UnwrittenRecords: what relaxed queues were told is stored, until it is.
//
// Questions are answered from here first, so nobody sees the difference; a crash loses exactly
// what is in here. Bounded: when it is full, commits of relaxed queues wait like all others. Loop
// thread only.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "services/store/job_key.h"
#include "services/store/job_store.h"

namespace fermata {

class UnwrittenRecords {
 public:
  static constexpr size_t kJobsMax = 10000;
  static constexpr size_t kBytesMax = size_t{64} << 20;

  bool full() const { return jobs_.size() >= kJobsMax || bytes_ >= kBytesMax; }
  size_t size() const { return jobs_.size(); }

  void put(JobKey key, JobView record);
  // This record is written; a newer one of its job stays.
  void written(const JobView& record);

  // Null when there is none.
  JobView get(const std::string& id) const;
  JobView find_request(const std::string& request_id) const;
  // Lays those that match, and are finished or are not, over such a page of what is written.
  void lay_over(const JobFilter& filter, JobKey before, size_t limit, bool finished,
                JobPage& page) const;
  // All of them, oldest first.
  std::vector<JobView> all() const;

 private:
  absl::btree_map<JobKey, JobView> jobs_;
  absl::flat_hash_map<std::string, JobKey> requests_;
  size_t bytes_ = 0;
};

}  // namespace fermata

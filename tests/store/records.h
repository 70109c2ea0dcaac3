// Records for tests of stores, by the number of their job.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "services/async/async.h"
#include "services/store/job_store.h"

namespace fermata {

// A record of the job with number n; ids ascend with n. `sequence` tells records of one job apart.
JobView make_record(int n, JobState state, int64_t sequence = 1, std::string input = "{}");
std::shared_ptr<JobRecord> make_mutable_record(int n, JobState state, int64_t sequence = 1);
std::string id_of(int n);

Co<absl::Status> put(JobStore& store, JobView record);
// The numbers of the jobs in a page, in its order.
std::string numbers_of(const std::vector<JobView>& jobs);
inline std::string numbers_of(const JobPage& page) { return numbers_of(page.jobs); }
// The unfinished jobs of the queue "default", as the numbers of the jobs in the order of their
// turns.
Co<absl::StatusOr<std::string>> waiting(JobStore& store);

}  // namespace fermata

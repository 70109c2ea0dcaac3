// What every JobStore must do, as tests: see services/store/job_store.h. A store's own test file
// says
//
//   INSTANTIATE_TEST_SUITE_P(Memory, JobStoreContract, testing::Values(&make_memory_store));
//
// and gets all of them.
#pragma once

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/sim_loop.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata {

using MakeStore = std::unique_ptr<JobStore> (*)(const Clock& clock, const Retention& retention);

class JobStoreContract : public testing::TestWithParam<MakeStore> {
 protected:
  using Scenario = Co<absl::Status> (*)(JobStore&);
  // Plays the scenario on a fresh store.
  void play(Scenario scenario, const Retention& retention = {});
};

// A record of the job with number n; ids ascend with n. `sequence` tells records of one job apart.
JobView make_record(int n, JobState state, int64_t sequence = 1, std::string input = "{}");
std::shared_ptr<JobRecord> make_mutable_record(int n, JobState state, int64_t sequence = 1);
std::string id_of(int n);

Co<absl::Status> put(JobStore& store, JobView record);
// The numbers of the jobs in a page, in its order.
std::string numbers_of(const JobPage& page);

}  // namespace fermata

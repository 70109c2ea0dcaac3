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
#include "tests/store/records.h"

namespace fermata {

using MakeStore = std::unique_ptr<JobStore> (*)(Loop& loop, const Clock& clock,
                                                const Retention& retention);

using StoreScenario = Co<absl::Status> (*)(JobStore&);
// What a scenario is run by, so that the store may be destroyed after it.
Co<absl::Status> play_and_close(StoreScenario scenario, JobStore& store);

class JobStoreContract : public testing::TestWithParam<MakeStore> {
 protected:
  // Plays the scenario on a fresh store.
  void play(StoreScenario scenario, const Retention& retention = {});
};

}  // namespace fermata

#include "services/store/memory_store.h"

#include "tests/store/job_store_contract.h"

namespace fermata {
namespace {

std::unique_ptr<JobStore> make_memory_store(Loop& loop, const Clock& clock,
                                            const Retention& retention) {
  return std::make_unique<MemoryStore>(clock, retention);
}
INSTANTIATE_TEST_SUITE_P(Memory, JobStoreContract, testing::Values(&make_memory_store));

Co<absl::Status> searches_in_pieces(JobStore& store) {
  std::vector<JobView> batch;
  for (int n = 1; n <= 15000; ++n) batch.push_back(make_record(n, JobState::kSucceeded));
  co_await Try(store.commit(std::move(batch)));
  JobFilter first;
  first.labels["n"] = "1";
  JobPage page = co_await Try(store.list_finished(first, "", 10));
  EXPECT_EQ(numbers_of(page), "");
  EXPECT_NE(page.next_page_token, "");
  page = co_await Try(store.list_finished(first, page.next_page_token, 10));
  EXPECT_EQ(numbers_of(page), "1 ");
  EXPECT_EQ(page.next_page_token, "");
  co_return absl::OkStatus();
}
TEST(MemoryStore, ASearchThatFindsLittleAnswersInPiecesInsteadOfHoldingUpTheLoop) {
  SimLoop loop;
  LoopClock clock(loop);
  MemoryStore store(clock, Retention());
  const absl::Status status = loop.run(&searches_in_pieces, store);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace fermata

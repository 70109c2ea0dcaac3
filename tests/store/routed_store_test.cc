#include "services/store/routed_store.h"

#include <functional>

#include "gtest/gtest.h"
#include "services/async/sim_loop.h"
#include "services/store/clock.h"
#include "services/store/memory_store.h"
#include "tests/store/records.h"

namespace fermata {
namespace {

QueueDurability one_memory_queue() {
  QueueDurability durability;
  durability.queues["fast"] = Durability::kMemory;
  return durability;
}

// Owns what a RoutedStore borrows.
struct TwoStores {
  TwoStores(const Clock& clock, const Retention& retention)
      : lasting(clock, retention),
        memory(clock, retention),
        routed(lasting, memory, one_memory_queue()) {}
  MemoryStore lasting, memory;
  RoutedStore routed;
};

JobView in_queue(int n, std::string queue, JobState state) {
  std::shared_ptr<JobRecord> record = make_mutable_record(n, state);
  auto spec = std::make_shared<JobSpec>(*record->spec);
  spec->queue = std::move(queue);
  spec->request_id = "r" + std::to_string(n);
  record->spec = std::move(spec);
  return record;
}

Co<absl::Status> routes(TwoStores& two) {
  std::vector<JobView> batch;
  for (int n = 1; n <= 6; ++n) {
    const JobState state = n <= 4 ? JobState::kSucceeded : JobState::kPending;
    batch.push_back(in_queue(n, n % 2 == 0 ? "fast" : "default", state));
  }
  EXPECT_FALSE(two.routed.keeps(*batch[1]->spec));
  co_await Try(two.routed.commit(std::move(batch)));
  EXPECT_EQ(two.lasting.stats().finished, 2u);
  EXPECT_EQ(two.memory.stats().finished, 2u);
  EXPECT_EQ(two.routed.stats().live, 2u);
  JobPage page = co_await Try(two.routed.list_finished(JobFilter(), "", 3));
  EXPECT_EQ(numbers_of(page), "4 3 2 ");
  page = co_await Try(two.routed.list_finished(JobFilter(), page.next_page_token, 3));
  EXPECT_EQ(numbers_of(page), "1 ");
  page = co_await Try(two.routed.list_unfinished(JobFilter(), "", 10));
  EXPECT_EQ(numbers_of(page), "6 5 ");
  std::string live = co_await Try(waiting(two.routed));
  EXPECT_EQ(live, "5 ");
  std::vector<StoredLane> lanes = co_await Try(two.routed.lanes());
  EXPECT_EQ(lanes.size(), 1u) << "jobs of memory queues are not read back";
  for (int n = 1; n <= 4; ++n) {
    JobView found = co_await Try(two.routed.find_request("r" + std::to_string(n)));
    EXPECT_EQ(found->id(), id_of(n));
    co_await Try(two.routed.remove(id_of(n)));
    absl::StatusOr<JobView> gone = co_await two.routed.get(id_of(n));
    EXPECT_TRUE(absl::IsNotFound(gone.status())) << gone.status();
  }
  co_return absl::OkStatus();
}
TEST(RoutedStore, KeepsEachQueueInItsStoreAndAnswersAsOne) {
  SimLoop loop;
  LoopClock clock(loop);
  TwoStores two(clock, Retention());
  const absl::Status status = loop.run(&routes, std::ref(two));
  EXPECT_TRUE(status.ok()) << status;
}

// ---- a queue that was durable in an earlier life, and is in memory in this one -----------------

// As one that was opened over what an earlier life had written.
class OpenedStore final : public MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  std::string newest_id() const override { return id_of(2); }
  bool keeps(const JobSpec& spec) const override { return true; }
  Co<absl::Status> commit_synced(std::vector<JobView> batch) override {
    synced += batch.size();
    return commit(std::move(batch));
  }
  size_t synced = 0;
};

Co<absl::Status> ends_where_it_was(OpenedStore& lasting, MemoryStore& memory) {
  for (int n = 1; n <= 2; ++n) {
    co_await Try(put(lasting, in_queue(n, "fast", JobState::kPending)));
  }
  RoutedStore routed(lasting, memory, one_memory_queue());
  const JobView old = in_queue(2, "fast", JobState::kSucceeded);
  const JobView fresh = in_queue(3, "fast", JobState::kSucceeded);
  EXPECT_TRUE(routed.keeps(*old->spec));
  EXPECT_FALSE(routed.keeps(*fresh->spec));
  std::vector<JobView> batch = {in_queue(1, "fast", JobState::kSucceeded), old, fresh};
  co_await Try(routed.commit_synced(std::move(batch)));
  EXPECT_EQ(lasting.synced, 2u);
  // The next start finds nothing to run.
  EXPECT_EQ(lasting.stats().live, 0u);
  EXPECT_EQ(lasting.stats().finished, 2u);
  EXPECT_EQ(memory.stats().finished, 1u);
  for (int n = 1; n <= 3; ++n) {
    JobView found = co_await Try(routed.get(id_of(n)));
    EXPECT_EQ(found->state, JobState::kSucceeded);
  }
  co_return absl::OkStatus();
}
TEST(RoutedStore, WhatAnEarlierLifeHasStoredEndsThereThoughItsQueueIsInMemoryNow) {
  SimLoop loop;
  LoopClock clock(loop);
  OpenedStore lasting(clock, Retention());
  MemoryStore memory(clock, Retention());
  const absl::Status status = loop.run(&ends_where_it_was, std::ref(lasting), std::ref(memory));
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace fermata

// RoutedStore: two stores as one, for a server whose queues differ in durability. Jobs of memory
// queues live in one that ends with the process, all others in one that does not.
//
// What the lasting store had when it was opened ends there, whatever its queue is by now: its end
// would otherwise be in memory alone, and the next start would run it again.
//
// A batch with jobs of both is committed where it may fail first; the rest follows at once. Loop
// thread only; both stores outlive it.
#pragma once

#include <string>
#include <vector>

#include "services/store/durability.h"
#include "services/store/job_key.h"
#include "services/store/job_store.h"

namespace fermata {

class RoutedStore final : public JobStore {
 public:
  RoutedStore(JobStore& lasting, JobStore& memory, QueueDurability durability)
      : lasting_(lasting),
        memory_(memory),
        durability_(std::move(durability)),
        last_stored_(key_of(lasting.newest_id()).value_or(-1)) {}

  Co<absl::Status> commit(std::vector<JobView> batch) override;
  Co<absl::Status> commit_synced(std::vector<JobView> batch) override;
  Co<absl::StatusOr<JobView>> get(std::string id) override;
  Co<absl::StatusOr<JobView>> find_request(std::string request_id) override;
  Co<absl::StatusOr<JobPage>> list_finished(JobFilter filter, std::string before,
                                            size_t limit) override;
  Co<absl::StatusOr<JobPage>> list_unfinished(JobFilter filter, std::string before,
                                              size_t limit) override;
  Co<absl::StatusOr<std::vector<StoredLane>>> lanes() override;
  Co<absl::StatusOr<LanePage>> lane(std::string queue, std::optional<LanePlace> from, size_t limit,
                                    size_t bytes) override;
  Co<absl::StatusOr<DuePage>> due(absl::Time until, DuePlace after, size_t limit) override;
  Co<absl::Status> remove(std::string id) override;
  Co<void> close() override;
  bool keeps(const JobSpec& spec) const override;
  std::string newest_id() const override { return lasting_.newest_id(); }
  int64_t sequence_floor() const override { return lasting_.sequence_floor(); }
  // Health and sizes on disk are the lasting one's.
  StoreStats stats() const override;

 private:
  bool in_memory(const JobSpec& spec) const {
    return durability_.of(spec.queue) == Durability::kMemory &&
           key_of(spec.id).value_or(0) > last_stored_;
  }
  Co<absl::Status> commit_both(std::vector<JobView> batch, bool synced);

  JobStore& lasting_;
  JobStore& memory_;
  const QueueDurability durability_;
  const JobKey last_stored_;  // by an earlier life; -1: nothing was
};

}  // namespace fermata

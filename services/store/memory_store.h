// MemoryStore: the JobStore that lasts as long as the process. The default of the first version,
// and the model that other stores are compared with.
//
//   rows_ ── by id ──► Row ──┬── by_id_[finished]   ordered: lists, recovery
//                            └── finish_order_      the oldest to finish first: retention
//
// A commit is done before commit() returns to its caller. Loop thread only.
#pragma once

#include <array>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata {

class MemoryStore : public JobStore {
 public:
  // How many records one list call looks at before it answers with a short page.
  static constexpr size_t kSearchMax = 10000;

  MemoryStore(const Clock& clock, const Retention& retention)
      : clock_(clock), retention_(retention) {}

  Co<absl::Status> commit(std::vector<JobView> batch) override;
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
  bool keeps(const JobSpec& spec) const override { return false; }
  std::string newest_id() const override { return ""; }
  int64_t sequence_floor() const override { return 0; }  // it has no jobs of an earlier life
  StoreStats stats() const override;

 private:
  struct Row {
    std::shared_ptr<const JobSpec> spec;  // owns the text that is the key in the maps
    JobView record;
    size_t bytes = 0;                       // counted when it finished
    std::list<Row*>::iterator finish_turn;  // valid when finished
  };
  using ById = absl::btree_map<std::string_view, Row*>;
  JobPage list(const ById& jobs, const JobFilter& filter, const std::string& before, size_t limit);
  void put(JobView record);
  void finish(Row& row);
  void forget(Row& row);
  void evict();

  const Clock& clock_;
  const Retention retention_;
  absl::flat_hash_map<std::string_view, std::unique_ptr<Row>> rows_;
  absl::flat_hash_map<std::string_view, Row*> by_request_;
  std::array<ById, 2> by_id_;  // [finished]
  std::list<Row*> finish_order_;
  StoreStats stats_;
};

}  // namespace fermata

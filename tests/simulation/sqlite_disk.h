// SqliteDisk: the embedded store itself in a simulation, on a disk in memory that is full now and
// then, fails its syncs, and dies in the middle of a transaction.
//
// A life ends when it is told to, or at a drawn operation of the disk: between two pages of a write
// as well as before the sync that would have made it last. Then the process is gone (what was
// written stays) or the power is (what was not synced goes, in sectors).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "services/store/sqlite/sqlite_store.h"
#include "tests/simulation/disk.h"
#include "tests/store/testing/fault_vfs.h"

namespace fermata::simulation {

class SqliteDisk final : public Disk {
 public:
  explicit SqliteDisk(uint64_t seed) : random_(seed), disk_(seed) {}

  std::unique_ptr<LifeStore> store(SimLoop& loop, const Clock& clock,
                                   const StoreFaults& faults) override;
  void crash() override;
  bool dead() const override { return killed_ || disk_.crashed(); }
  std::map<std::string, JobView> read(std::vector<std::string>& wrong) override;
  void die_within(uint64_t operations) override { die_within_ = operations; }

 private:
  class Store;
  static constexpr uint64_t kNever = UINT64_MAX;

  // Whatever happened to it before: it is as it would be found after that.
  void restart();
  SqliteOptions options() const;

  std::mt19937_64 random_;
  FaultDisk disk_;
  bool killed_ = false;
  uint64_t die_within_ = kNever;
};

// The real store; notes what it refuses.
class SqliteDisk::Store final : public LifeStore {
 public:
  Store(SqliteDisk& disk, SimLoop& loop, const Clock& clock, const StoreFaults& faults)
      : disk_(disk), loop_(loop), clock_(clock), faults_(faults) {}

  Co<absl::Status> open() override;
  Co<absl::Status> commit(std::vector<JobView> batch) override;
  Co<absl::StatusOr<JobView>> get(std::string id) override { return inner_->get(std::move(id)); }
  Co<absl::StatusOr<JobView>> find_request(std::string request_id) override {
    return inner_->find_request(std::move(request_id));
  }
  Co<absl::StatusOr<JobPage>> list_finished(JobFilter filter, std::string before,
                                            size_t limit) override {
    return inner_->list_finished(std::move(filter), std::move(before), limit);
  }
  Co<absl::StatusOr<JobPage>> list_unfinished(JobFilter filter, std::string before,
                                              size_t limit) override {
    return inner_->list_unfinished(std::move(filter), std::move(before), limit);
  }
  Co<absl::StatusOr<std::vector<StoredLane>>> lanes() override { return inner_->lanes(); }
  Co<absl::StatusOr<LanePage>> lane(std::string queue, std::optional<LanePlace> from, size_t limit,
                                    size_t bytes) override;
  Co<absl::StatusOr<DuePage>> due(absl::Time until, DuePlace after, size_t limit) override;
  Co<absl::Status> remove(std::string id) override { return inner_->remove(std::move(id)); }
  Co<void> close() override;
  std::string newest_id() const override { return inner_->newest_id(); }
  int64_t sequence_floor() const override { return inner_->sequence_floor(); }
  StoreStats stats() const override { return inner_->stats(); }

 private:
  bool happens(int percent) { return loop_.random(100) < static_cast<uint64_t>(percent); }
  Co<void> take_time();
  Co<absl::Status> ask();

  SqliteDisk& disk_;
  SimLoop& loop_;
  const Clock& clock_;
  const StoreFaults faults_;
  std::unique_ptr<SqliteStore> inner_;
};

}  // namespace fermata::simulation

// ModelDisk: a durable store in a simulation, as the contract says and no better. The disk has the
// bytes of records, as the real codec writes them.
//
// Commits take a drawn time each, so they end in any order, and fail now and then, in the ways
// disks do: no space (nothing written, the next may do), or a failed sync (perhaps written, and
// nothing is written any more until the store is opened again). A crash while a commit is under way
// leaves all of it or nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/store/memory_store.h"
#include "tests/simulation/disk.h"

namespace fermata::simulation {

class ModelDisk final : public Disk {
 public:
  std::unique_ptr<LifeStore> store(SimLoop& loop, const Clock& clock,
                                   const StoreFaults& faults) override;
  void crash() override;
  bool dead() const override { return dead_; }
  std::map<std::string, JobView> read(std::vector<std::string>& wrong) override;

 private:
  class Store;
  struct Row {
    int64_t sequence = 0;
    bool finished = false;
    std::string bytes;  // empty: the job is gone
  };
  using Batch = std::map<std::string, Row>;

  void write(const Batch& batch);

  Batch rows_;  // by job id
  int64_t sequence_floor_ = 0;
  Store* store_ = nullptr;
  bool dead_ = false;
};

// What this life reads is in memory_; what the next one will is the disk's.
class ModelDisk::Store final : public LifeStore {
 public:
  Store(ModelDisk& disk, SimLoop& loop, const Clock& clock, const StoreFaults& faults)
      : disk_(disk), loop_(loop), faults_(faults), memory_(clock, keep_all()) {}
  ~Store() override { disk_.store_ = nullptr; }

  Co<absl::Status> open() override;
  // Of each commit that is under way, all or nothing is on the disk.
  void crash();

  Co<absl::Status> commit(std::vector<JobView> batch) override;
  Co<absl::StatusOr<JobView>> get(std::string id) override;
  Co<absl::StatusOr<JobView>> find_request(std::string request_id) override {
    return memory_.find_request(std::move(request_id));
  }
  Co<absl::StatusOr<JobPage>> list_finished(JobFilter filter, std::string before,
                                            size_t limit) override {
    return memory_.list_finished(std::move(filter), std::move(before), limit);
  }
  Co<absl::StatusOr<JobPage>> list_unfinished(JobFilter filter, std::string before,
                                              size_t limit) override {
    return memory_.list_unfinished(std::move(filter), std::move(before), limit);
  }
  Co<absl::StatusOr<std::vector<StoredLane>>> lanes() override { return memory_.lanes(); }
  Co<absl::StatusOr<LanePage>> lane(std::string queue, std::optional<LanePlace> from, size_t limit,
                                    size_t bytes) override;
  Co<absl::StatusOr<DuePage>> due(absl::Time until, DuePlace after, size_t limit) override;
  Co<absl::Status> remove(std::string id) override;
  std::string newest_id() const override;
  int64_t sequence_floor() const override { return disk_.sequence_floor_; }
  StoreStats stats() const override { return memory_.stats(); }

 private:
  bool happens(int percent) { return loop_.random(100) < static_cast<uint64_t>(percent); }
  Co<void> take_time();
  // The time that a question takes before and after the moment which its answer is of.
  Co<absl::Status> ask();
  absl::Status refuse(const std::vector<JobView>& batch, absl::Status why);

  ModelDisk& disk_;
  SimLoop& loop_;
  const StoreFaults faults_;
  MemoryStore memory_;
  bool stopped_ = false;
  uint64_t next_write_ = 0;
  std::map<uint64_t, Batch> under_way_;
};

}  // namespace fermata::simulation

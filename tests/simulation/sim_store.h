// SimStore: a durable store in a simulation. SimDisk is what survives a crash: the bytes of
// records, as the real codec writes them.
//
// Commits take a drawn time and fail now and then, in the ways disks do: no space (nothing written,
// the next may do), or a failed sync (perhaps written, and nothing is written any more until the
// store is opened again). A crash while a commit is under way leaves all of it or nothing.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/async/sim_loop.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"
#include "services/store/memory_store.h"

namespace fermata::simulation {

struct SimDisk {
  struct Row {
    int64_t sequence = 0;
    bool finished = false;
    std::string bytes;  // empty: the job is gone
  };
  std::map<std::string, Row> rows;  // by job id
  // Request ids of jobs of which a commit was refused: their stages may run again.
  std::set<std::string> refused;
  bool open = true;  // false: the process is dead, nothing reaches it
};

// How the store misbehaves: faults that the daemon must bear, and lies that the checker must find.
struct StoreFaults {
  int no_space_percent = 0;
  int failed_sync_percent = 0;
  int failed_read_percent = 0;  // of what waits
  absl::Duration slowest = absl::Milliseconds(5);
  bool lies = false;  // answers before it has written: a sync that was skipped
};

class SimStore final : public JobStore {
 public:
  SimStore(SimLoop& loop, const Clock& clock, SimDisk& disk, const StoreFaults& faults);

  // Before the engine runs: what the disk has.
  Co<absl::Status> open();
  // The process dies: of each commit that is under way, all or nothing is on the disk.
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
  bool keeps(const JobSpec& spec) const override { return true; }
  std::string newest_id() const override;
  StoreStats stats() const override { return memory_.stats(); }

 private:
  using Batch = std::map<std::string, SimDisk::Row>;
  bool happens(int percent) { return loop_.random(100) < static_cast<uint64_t>(percent); }
  Co<void> take_time();
  // The time that a question takes before and after the moment which its answer is of.
  Co<absl::Status> ask();
  absl::Status refuse(const std::vector<JobView>& batch, absl::Status why);
  void write(const Batch& batch);

  SimLoop& loop_;
  SimDisk& disk_;
  const StoreFaults faults_;
  MemoryStore memory_;  // what this life reads
  bool stopped_ = false;
  uint64_t next_write_ = 0;
  std::map<uint64_t, Batch> under_way_;
};

}  // namespace fermata::simulation

// Disk: what survives the crashes of a simulated daemon, and the stores that live on it, one after
// the other.
//
//   model_disk.h    a store of thirty lines, with every freedom that the contract leaves
//   sqlite_disk.h   the real one, on a disk in memory that can lose its power
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/async/sim_loop.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"

namespace fermata::simulation {

// How a disk misbehaves: faults that the daemon must bear, and lies that the checker must find.
struct StoreFaults {
  int no_space_percent = 0;
  int failed_sync_percent = 0;
  int failed_read_percent = 0;  // of what waits
  absl::Duration slowest = absl::Milliseconds(5);
  bool lies = false;  // answers before it has written: a sync that was skipped
};

// The store of one life.
class LifeStore : public JobStore {
 public:
  // Before the engine runs: takes up what the disk has.
  virtual Co<absl::Status> open() = 0;
  bool keeps(const JobSpec& spec) const override { return true; }
};

class Disk {
 public:
  virtual ~Disk() = default;

  // A life begins: the disk is alive. The store of the life before is gone.
  virtual std::unique_ptr<LifeStore> store(SimLoop& loop, const Clock& clock,
                                           const StoreFaults& faults) = 0;
  // The process dies at this instant, or the machine does.
  virtual void crash() = 0;
  // It has, perhaps by itself in the middle of a write: whatever the process still does, nobody
  // sees.
  virtual bool dead() const = 0;

  // The next life ends by itself at one of its next so many operations, if the disk counts them.
  virtual void die_within(uint64_t operations) {}

  // All jobs on it, by id; what is wrong with it, as sentences. After the last life.
  virtual std::map<std::string, JobView> read(std::vector<std::string>& wrong) = 0;

  // Request ids of jobs of which a commit was refused: their stages may run again.
  std::set<std::string> refused;

 protected:
  void note_refused(const std::vector<JobView>& batch) {
    for (const JobView& record : batch) refused.insert(record->spec->request_id);
  }
};

// Nothing goes in a simulation but by being removed.
inline Retention keep_all() {
  Retention all;
  all.jobs = 1000000;
  all.bytes = size_t{1} << 40;
  all.age = absl::InfiniteDuration();
  return all;
}

}  // namespace fermata::simulation

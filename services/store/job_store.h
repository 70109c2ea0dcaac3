// JobStore: where jobs are kept, and the contract all engines of it fulfil.
//
//  1. commit() answers OK when the whole batch is as durable as this store makes things, and an
//     error when it is not: then none of it is to be seen. (Of a batch whose sync the disk refused
//     nobody can know; it may be there when the store is opened again, as after a lost answer.)
//  2. Of two records of a job, the one with the higher sequence stays, whatever the order they
//     arrive in. A finished record is never replaced.
//  3. get() sees what was committed before it was called.
//  4. Finished jobs are kept within Retention, the oldest to finish go first; unfinished jobs are
//     never dropped.
//
// tests/store/job_store_contract.h states all of it as tests that every store runs. A store belongs
// to one loop and is called on its thread; it may have threads of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/metrics/counters.h"
#include "services/store/job_record.h"
#include "services/store/lane.h"

namespace fermata {

// Of finished jobs. All three bounds hold at once.
struct Retention {
  size_t jobs = 100000;
  size_t bytes = size_t{256} << 20;
  absl::Duration age = absl::Hours(24);
};

struct JobFilter {
  std::vector<JobState> states;  // any of them; empty: all
  std::optional<std::string> pipeline;
  std::optional<std::string> stage;
  std::optional<std::string> queue;
  Labels labels;  // all of them, equal

  bool matches(const JobSpec& spec, JobState state) const;
  bool matches(const JobRecord& record) const { return matches(*record.spec, record.state); }
};

struct JobPage {
  std::vector<JobView> jobs;    // newest (highest id) first
  std::string next_page_token;  // empty: the end, and only there
};

// Both sides of a list, newest first, as one page; of a job in both `stored` has the newer record.
JobPage merge_pages(JobPage live, JobPage stored, size_t page_size);

enum class StoreHealth : uint8_t {
  kOk,
  kRefusing,  // the last write found no space, or the file held by another: the next one may do
  kStopped,   // the disk failed: nothing is written any more until the store is opened again
};

struct StoreStats {
  size_t live = 0;      // unfinished jobs
  size_t finished = 0;  // kept
  size_t finished_bytes = 0;
  uint64_t commits = 0;  // batches
  uint64_t records = 0;  // in them
  uint64_t evicted = 0;  // by retention
  StoreHealth health = StoreHealth::kOk;
  std::string problem;       // why it is not kOk, or the last damage that was found
  uint64_t writes = 0;       // of all batches that waited together, each with one sync
  uint64_t failures = 0;     // of these
  uint64_t damaged = 0;      // records that were read and not given out
  uint64_t file_bytes = 0;   // on disk; a store without one has none
  uint64_t log_bytes = 0;    // written and not yet moved into the file
  size_t unwritten = 0;      // acknowledged and not yet on disk, of relaxed queues
  LoopHistogram write_time;  // of a write, from its request to its answer
  LoopHistogram sync_time;   // of that, until the disk has said that it is written
};

class JobStore {
 public:
  virtual ~JobStore() = default;

  // OUT_OF_RANGE: a record is larger than this store can ever keep, so it is refused for good. What
  // else is refused may be taken when it is tried again.
  //   wakes when   the batch is durable, or refused
  //   on cancel    waits for that all the same
  //   on shutdown  the same
  virtual Co<absl::Status> commit(std::vector<JobView> batch) = 0;

  // commit() that answers OK only once a crash cannot take it back, whatever the queue's durability
  // otherwise allows. What ends with the process is the one exception: see keeps().
  virtual Co<absl::Status> commit_synced(std::vector<JobView> batch) {
    return commit(std::move(batch));
  }

  // NOT_FOUND when there is none, or no longer.
  virtual Co<absl::StatusOr<JobView>> get(std::string id) = 0;

  // The job with this request id, whatever its state; null when there is none.
  virtual Co<absl::StatusOr<JobView>> find_request(std::string request_id) = 0;

  // Finished jobs that match, below the id `before` ("": from the newest), at most `limit`. A page
  // may be short before the end: how much one call searches is bounded.
  virtual Co<absl::StatusOr<JobPage>> list_finished(JobFilter filter, std::string before,
                                                    size_t limit) = 0;

  // Likewise of unfinished jobs, as they were last committed.
  virtual Co<absl::StatusOr<JobPage>> list_unfinished(JobFilter filter, std::string before,
                                                      size_t limit) = 0;

  // How many unfinished jobs there are, by queue: what opening a shard reads.
  virtual Co<absl::StatusOr<std::vector<StoredLane>>> lanes() = 0;

  // Unfinished jobs of a queue from the place `from` on (nothing: from the first), at most `limit`,
  // and no more once they have `bytes` together. Damaged ones are left out.
  virtual Co<absl::StatusOr<LanePage>> lane(std::string queue, std::optional<LanePlace> from,
                                            size_t limit, size_t bytes) = 0;

  // Unfinished jobs behind the place `after` whose deadline is not later than `until`.
  virtual Co<absl::StatusOr<DuePage>> due(absl::Time until, DuePlace after, size_t limit) = 0;

  // Forgets a finished job. NOT_FOUND; FAILED_PRECONDITION when it has not finished.
  virtual Co<absl::Status> remove(std::string id) = 0;

  // Whether this job outlives the process: then a server that stops leaves it as it is.
  virtual bool keeps(const JobSpec& spec) const = 0;

  // No stored id is above it, and new ones must be; "": nothing was ever stored.
  virtual std::string newest_id() const = 0;

  // Above every sequence that the engine gave before this store was opened, told to watchers or
  // stored, whatever the clock says; see sequence_floor.h.
  virtual int64_t sequence_floor() const = 0;

  // Lets go of its threads and files, after what is under way. Required before the destructor, and
  // nothing but stats() may be called after it.
  //   on cancel    goes on all the same
  virtual Co<void> close() { co_return; }

  virtual StoreStats stats() const = 0;
};

}  // namespace fermata

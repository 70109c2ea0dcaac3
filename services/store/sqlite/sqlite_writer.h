// SqliteWriter: the one connection that changes a store's file. A batch is a transaction.
//
// Whatever happened to a job inside one batch is one row: a job that came and ended within it is
// written once. Retention is a few deletes of the oldest finished jobs at the end of a batch, never
// a long one. A batch that fails is rolled back whole. Used by one thread at a time, the one that
// the store hands its batches to; counts() is a copy for the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/store/job_key.h"
#include "services/store/job_store.h"
#include "services/store/sqlite/connection.h"
#include "services/store/sqlite/statement.h"

namespace fermata {

// The row of the table `counts`.
struct StoreCounts {
  int64_t live = 0;
  int64_t finished = 0;
  int64_t finished_bytes = 0;
  int64_t finish = 0;   // the number of the job that finished last
  JobKey last_key = 0;  // the highest that was ever stored
};

struct WriteRequest {
  std::vector<JobView> records;
  std::vector<std::string> removals;  // ids
  absl::Time now;
};

struct WriteAnswer {
  absl::Status status;
  std::vector<absl::Status> removed;  // one for each removal, when status is OK
  StoreCounts counts;
  uint64_t evicted = 0;
  bool more_to_evict = false;
  uint64_t wal_bytes = 0;
  int64_t sync_ns = 0;  // in COMMIT: the log is appended and synced
};

class SqliteWriter {
 public:
  // Creates or migrates the file, and notes in it that a life of the server begins.
  static absl::StatusOr<std::unique_ptr<SqliteWriter>> open(const ConnectionOptions& options,
                                                            const Retention& retention,
                                                            absl::Time now);

  WriteAnswer write(const WriteRequest& request);
  // Moves what the WAL holds into the file, so that the WAL begins anew.
  absl::Status checkpoint();

  const StoreCounts& counts() const { return counts_; }
  // Of this life. Does not change: any thread.
  int64_t sequence_floor() const { return sequence_floor_; }
  uint64_t wal_bytes() const { return wal_bytes_; }
  // As of the last checkpoint.
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  SqliteWriter(Connection connection, const Retention& retention);

  absl::Status load_counts();
  absl::Status begin_life(absl::Time now);
  absl::Status apply(const WriteRequest& request, WriteAnswer& answer);
  absl::Status put(const JobRecord& record);
  absl::Status put_live(JobKey key, const JobRecord& record);
  absl::Status put_finished(JobKey key, const JobRecord& record);
  absl::Status insert_live(JobKey key, const JobRecord& record, const std::string& bytes);
  absl::Status insert_finished(JobKey key, const JobRecord& record);
  absl::StatusOr<bool> has(Statement& find, JobKey key);
  absl::StatusOr<absl::Status> remove(const std::string& id);
  absl::Status evict(const WriteRequest& request, WriteAnswer& answer);
  absl::Status forget(JobKey key, int64_t bytes);
  absl::Status save_counts();
  static int saw_wal(void* self, sqlite3* db, const char* name, int pages);

  Connection connection_;
  const Retention retention_;
  StoreCounts counts_;
  int64_t sequence_floor_ = 0;
  uint64_t wal_bytes_ = 0;
  uint64_t file_bytes_ = 0;
  Statement begin_, commit_, rollback_;
  Statement insert_live_, update_live_, delete_live_, find_live_;
  Statement insert_finished_, delete_finished_, find_finished_, oldest_finished_;
  Statement delete_oldest_;
  Statement load_counts_, save_counts_, page_count_;
};

}  // namespace fermata

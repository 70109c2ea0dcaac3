// SqliteReader: the connection that answers questions, beside the writer and never in its way.
//
// Each call is one read transaction: it sees every batch whose commit had answered. A record that
// is damaged is an error where it was asked for by name, and is left out and counted where many
// were: it is never given to anybody. Used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/store/job_key.h"
#include "services/store/job_store.h"
#include "services/store/sqlite/connection.h"
#include "services/store/sqlite/statement.h"

namespace fermata {

// Records that were read, and what could not be.
struct ReadJobs {
  std::vector<JobView> jobs;
  std::vector<std::string> damaged;  // a sentence each, naming the job
  // The last key that was looked at, when there may be more after it.
  std::optional<JobKey> last;
};
struct ReadLane {
  LanePage page;
  std::vector<std::string> damaged;
};
struct ReadDue {
  DuePage page;
  std::vector<std::string> damaged;
};

class SqliteReader {
 public:
  // How many records one call looks at before it answers with what it has.
  static constexpr size_t kSearchMax = 10000;

  static absl::StatusOr<std::unique_ptr<SqliteReader>> open(const ConnectionOptions& options);

  // NOT_FOUND; DATA_LOSS when it is there and damaged.
  absl::StatusOr<JobView> get(std::string id);
  // Null when there is none.
  absl::StatusOr<JobView> find_request(std::string request_id);
  // Finished jobs that match and ended at `oldest` or later, newest first, below the key `before`.
  absl::StatusOr<ReadJobs> list_finished(JobFilter filter, JobKey before, size_t limit,
                                         absl::Time oldest);
  // Unfinished jobs that match, likewise.
  absl::StatusOr<ReadJobs> list_unfinished(JobFilter filter, JobKey before, size_t limit);
  // JobStore's.
  absl::StatusOr<std::vector<StoredLane>> lanes();
  absl::StatusOr<ReadLane> lane(std::string queue, std::optional<LanePlace> from, size_t limit,
                                size_t bytes);
  absl::StatusOr<ReadDue> due(absl::Time until, DuePlace after, size_t limit);

 private:
  explicit SqliteReader(Connection connection);
  // Nothing: this statement finds none.
  absl::StatusOr<std::optional<JobView>> find_by_key(Statement& find, JobKey key,
                                                     const std::string& id);
  absl::StatusOr<JobView> find_by_request(Statement& find, const std::string& request_id);
  absl::StatusOr<ReadJobs> list(Statement& rows, const JobFilter& filter, size_t limit);
  // The rest of one priority's jobs, or as many as fit.
  absl::Status read_level(const std::string& queue, int64_t priority, JobKey from, size_t limit,
                          size_t bytes, ReadLane& out);
  // The highest priority below; nothing: there is none.
  absl::StatusOr<std::optional<int64_t>> next_level(const std::string& queue, int64_t below);
  absl::StatusOr<absl::Time> next_deadline(absl::Time after);

  Connection connection_;
  Statement get_live_, get_finished_, request_live_, request_finished_;
  Statement list_finished_, list_live_;
  Statement lanes_, level_, next_level_, due_, next_deadline_;
};

}  // namespace fermata

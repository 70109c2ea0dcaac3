// SqliteStore: the embedded engine of JobStore. One directory, no server.
//
//   loop ── commit ──► WriteQueue ══ its thread ══► SqliteWriter ──► jobs.db-wal, sync
//        ── get, list ── offload ══ any thread ══► SqliteReader ──► jobs.db, jobs.db-wal
//
// A commit of a durable queue answers when the disk has it; of a relaxed queue at once. Memory
// queues are not its business (routed_store.h). Reads see what commits have answered, never wait
// for writes, and go on when writing has stopped. Opening reads one row however much is stored, so
// a server is back as fast as it can bind its port. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/async.h"
#include "services/store/clock.h"
#include "services/store/durability.h"
#include "services/store/job_store.h"
#include "services/store/sqlite/sqlite_reader.h"
#include "services/store/sqlite/sqlite_writer.h"
#include "services/store/sqlite/store_directory.h"
#include "services/store/sqlite/write_queue.h"

namespace fermata {

struct SqliteOptions {
  std::string directory;
  std::string vfs;  // of a test, whose files nobody claims; "": the system's
  // False on a simulated loop: everything happens on its thread, in its time.
  bool own_thread = true;
  Retention retention;
  QueueDurability durability;
  uint64_t bytes_max = 0;  // of the file; more is refused as a full disk is. 0: no limit
};

class SqliteStore final : public JobStore {
 public:
  // One record, encoded; a batch with a larger one is refused.
  static constexpr size_t kRecordMax = size_t{512} << 20;

  // Reads files: call it at start. FAILED_PRECONDITION: another process owns the directory, or the
  // schema is newer than this server. DATA_LOSS: the file is damaged or gone.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> open(Loop& loop, const Clock& clock,
                                                           const SqliteOptions& options);

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
  bool keeps(const JobSpec& spec) const override { return true; }
  // As it was when the store was opened.
  std::string newest_id() const override { return newest_id_; }
  int64_t sequence_floor() const override { return writer_->sequence_floor(); }
  StoreStats stats() const override;

 private:
  SqliteStore(Loop& loop, const Clock& clock, const SqliteOptions& options,
              std::optional<StoreDirectory> directory, std::unique_ptr<SqliteWriter> writer,
              std::unique_ptr<SqliteReader> reader);

  bool expired(const JobRecord& record);
  void note_damage(const std::vector<std::string>& damaged);

  const Clock& clock_;
  const SqliteOptions options_;
  std::optional<StoreDirectory> directory_;
  std::unique_ptr<SqliteWriter> writer_;
  std::unique_ptr<SqliteReader> reader_;
  const std::string newest_id_;
  Lock reading_;  // the reader serves one question at a time
  uint64_t damaged_ = 0;
  std::string damage_;
  WriteQueue queue_;
};

}  // namespace fermata

#include "services/store/sqlite/sqlite_store.h"

#include <utility>

#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

absl::Status not_found(const std::string& id) {
  return absl::NotFoundError(str_cat("the store has no job '", id, "'"));
}

absl::Status bad_token(const std::string& token) {
  return absl::InvalidArgumentError(
      str_cat("expected a job's id as the place to go on from, got '", token, "'"));
}

absl::Status check_batch(const std::vector<JobView>& batch) {
  for (const JobView& record : batch) {
    if (!key_of(record->id()).has_value()) {
      return absl::InvalidArgumentError(
          str_cat("expected a UUIDv7 as the job's id, got '", record->id(), "'"));
    }
    const size_t bytes = bytes_of(*record);
    if (bytes > SqliteStore::kRecordMax) {
      return absl::OutOfRangeError(str_cat("job '", record->id(), "' has ", bytes,
                                           " bytes, a stored one may have ",
                                           SqliteStore::kRecordMax));
    }
  }
  return absl::OkStatus();
}

// Functions for offload(), which calls them on another thread.
absl::StatusOr<JobView> read_job(SqliteReader* reader, std::string id) {
  return reader->get(std::move(id));
}
absl::StatusOr<JobView> read_request(SqliteReader* reader, std::string request_id) {
  return reader->find_request(std::move(request_id));
}
absl::StatusOr<ReadJobs> read_finished(SqliteReader* reader, JobFilter filter, JobKey before,
                                       size_t limit, absl::Time oldest) {
  return reader->list_finished(std::move(filter), before, limit, oldest);
}
absl::StatusOr<ReadJobs> read_unfinished(SqliteReader* reader, JobFilter filter, JobKey before,
                                         size_t limit) {
  return reader->list_unfinished(std::move(filter), before, limit);
}
absl::StatusOr<std::vector<StoredLane>> read_lanes(SqliteReader* reader) { return reader->lanes(); }
absl::StatusOr<ReadLane> read_lane(SqliteReader* reader, std::string queue,
                                   std::optional<LanePlace> from, size_t limit, size_t bytes) {
  return reader->lane(std::move(queue), std::move(from), limit, bytes);
}
absl::StatusOr<ReadDue> read_due(SqliteReader* reader, absl::Time until, DuePlace after,
                                 size_t limit) {
  return reader->due(until, std::move(after), limit);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::open(Loop& loop, const Clock& clock,
                                                               const SqliteOptions& options) {
  std::optional<StoreDirectory> directory;
  if (options.vfs.empty()) {
    absl::StatusOr<StoreDirectory> claimed = StoreDirectory::claim(options.directory);
    if (!claimed.ok()) return claimed.status();
    directory = *std::move(claimed);
  }
  ConnectionOptions connection;
  connection.path = store_file(options.directory);
  connection.vfs = options.vfs;
  connection.writes = true;
  connection.bytes_max = options.bytes_max;
  absl::StatusOr<std::unique_ptr<SqliteWriter>> writer =
      SqliteWriter::open(connection, options.retention, clock.now());
  if (!writer.ok()) return writer.status();
  if (directory.has_value()) {
    absl::Status made = directory->made();
    if (!made.ok()) return made;
  }
  connection.writes = false;
  absl::StatusOr<std::unique_ptr<SqliteReader>> reader = SqliteReader::open(connection);
  if (!reader.ok()) return reader.status();
  return std::unique_ptr<SqliteStore>(new SqliteStore(loop, clock, options, std::move(directory),
                                                      *std::move(writer), *std::move(reader)));
}

SqliteStore::SqliteStore(Loop& loop, const Clock& clock, const SqliteOptions& options,
                         std::optional<StoreDirectory> directory,
                         std::unique_ptr<SqliteWriter> writer, std::unique_ptr<SqliteReader> reader)
    : clock_(clock),
      options_(options),
      directory_(std::move(directory)),
      writer_(std::move(writer)),
      reader_(std::move(reader)),
      newest_id_(writer_->counts().last_key == 0 ? "" : id_floor(writer_->counts().last_key)),
      queue_(loop, clock, *writer_, options.own_thread) {}

Co<absl::Status> SqliteStore::commit(std::vector<JobView> batch) {
  absl::Status checked = check_batch(batch);
  if (!checked.ok()) co_return checked;
  bool relaxed = !queue_.unwritten().full();
  for (const JobView& record : batch) {
    relaxed = relaxed && options_.durability.of(record->spec->queue) == Durability::kRelaxed;
  }
  if (planted(PlantedBug::kAnswerBeforeCommit)) relaxed = !queue_.unwritten().full();
  if (relaxed) co_return queue_.write_later(std::move(batch));
  co_return co_await queue_.write(std::move(batch));
}

Co<absl::Status> SqliteStore::commit_synced(std::vector<JobView> batch) {
  absl::Status checked = check_batch(batch);
  if (!checked.ok()) co_return checked;
  co_return co_await queue_.write(std::move(batch));
}

bool SqliteStore::expired(const JobRecord& record) {
  if (!record.finished() || record.end_time >= clock_.now() - options_.retention.age) return false;
  queue_.tidy();
  return true;
}

Co<absl::StatusOr<JobView>> SqliteStore::get(std::string id) {
  JobView unwritten = queue_.unwritten().get(id);
  if (unwritten != nullptr) co_return unwritten;
  Lock::Guard guard = co_await reading_.acquire();
  absl::StatusOr<JobView> found = co_await offload(&read_job, reader_.get(), id);
  guard.unlock();
  if (!found.ok()) {
    if (absl::IsDataLoss(found.status())) note_damage({std::string(found.status().message())});
    co_return found.status();
  }
  if (expired(**found)) co_return not_found(id);
  co_return found;
}

Co<absl::StatusOr<JobView>> SqliteStore::find_request(std::string request_id) {
  JobView unwritten = queue_.unwritten().find_request(request_id);
  if (unwritten != nullptr) co_return unwritten;
  Lock::Guard guard = co_await reading_.acquire();
  absl::StatusOr<JobView> found = co_await offload(&read_request, reader_.get(), request_id);
  guard.unlock();
  if (found.ok() && *found != nullptr && expired(**found)) co_return JobView();
  co_return found;
}

Co<absl::StatusOr<JobPage>> SqliteStore::list_finished(JobFilter filter, std::string before,
                                                       size_t limit) {
  const std::optional<JobKey> end = before.empty() ? kJobKeyEnd : key_of(before);
  if (!end.has_value()) co_return bad_token(before);
  const absl::Time oldest = clock_.now() - options_.retention.age;
  Lock::Guard guard = co_await reading_.acquire();
  absl::StatusOr<ReadJobs> read =
      co_await offload(&read_finished, reader_.get(), filter, *end, limit, oldest);
  guard.unlock();
  if (!read.ok()) co_return read.status();
  note_damage(read->damaged);
  JobPage page;
  page.jobs = std::move(read->jobs);
  if (read->last.has_value()) page.next_page_token = id_floor(*read->last);
  queue_.unwritten().lay_over(filter, *end, limit, true, page);
  co_return page;
}

Co<absl::StatusOr<JobPage>> SqliteStore::list_unfinished(JobFilter filter, std::string before,
                                                         size_t limit) {
  const std::optional<JobKey> end = before.empty() ? kJobKeyEnd : key_of(before);
  if (!end.has_value()) co_return bad_token(before);
  Lock::Guard guard = co_await reading_.acquire();
  absl::StatusOr<ReadJobs> read =
      co_await offload(&read_unfinished, reader_.get(), filter, *end, limit);
  guard.unlock();
  if (!read.ok()) co_return read.status();
  note_damage(read->damaged);
  JobPage page;
  page.jobs = std::move(read->jobs);
  if (read->last.has_value()) page.next_page_token = id_floor(*read->last);
  queue_.unwritten().lay_over(filter, *end, limit, false, page);
  co_return page;
}

// Whoever reads what waits goes on behind it, so it must see what relaxed queues were told is
// stored.
Co<absl::StatusOr<std::vector<StoredLane>>> SqliteStore::lanes() {
  absl::Status written = co_await queue_.flush();
  if (!written.ok()) co_return written;
  Lock::Guard guard = co_await reading_.acquire();
  absl::StatusOr<std::vector<StoredLane>> read = co_await offload(&read_lanes, reader_.get());
  co_return read;
}

Co<absl::StatusOr<LanePage>> SqliteStore::lane(std::string queue, std::optional<LanePlace> from,
                                               size_t limit, size_t bytes) {
  if (from.has_value() && !key_of(from->id).has_value()) co_return bad_token(from->id);
  absl::Status written = co_await queue_.flush();
  if (!written.ok()) co_return written;
  Lock::Guard guard = co_await reading_.acquire();
  absl::StatusOr<ReadLane> read =
      co_await offload(&read_lane, reader_.get(), queue, from, limit, bytes);
  guard.unlock();
  if (!read.ok()) co_return read.status();
  note_damage(read->damaged);
  co_return std::move(read->page);
}

Co<absl::StatusOr<DuePage>> SqliteStore::due(absl::Time until, DuePlace after, size_t limit) {
  absl::Status written = co_await queue_.flush();
  if (!written.ok()) co_return written;
  Lock::Guard guard = co_await reading_.acquire();
  absl::StatusOr<ReadDue> read = co_await offload(&read_due, reader_.get(), until, after, limit);
  guard.unlock();
  if (!read.ok()) co_return read.status();
  note_damage(read->damaged);
  co_return std::move(read->page);
}

Co<absl::Status> SqliteStore::remove(std::string id) {
  JobView unwritten = queue_.unwritten().get(id);
  if (unwritten != nullptr && !unwritten->finished()) {
    co_return absl::FailedPreconditionError(
        str_cat("job '", id, "' has not ended; only a finished job can be removed"));
  }
  co_return co_await queue_.remove(std::move(id));
}

Co<void> SqliteStore::close() { co_await queue_.close(); }

void SqliteStore::note_damage(const std::vector<std::string>& damaged) {
  damaged_ += damaged.size();
  if (!damaged.empty()) damage_ = damaged.back();
}

StoreStats SqliteStore::stats() const {
  StoreStats stats = queue_.stats();
  stats.damaged = damaged_;
  if (stats.health == StoreHealth::kOk) stats.problem = damage_;
  return stats;
}

}  // namespace fermata

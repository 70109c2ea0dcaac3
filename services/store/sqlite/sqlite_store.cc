#include "services/store/sqlite/sqlite_store.h"

#include <utility>

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
      return absl::ResourceExhaustedError(str_cat("job '", record->id(), "' has ", bytes,
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
absl::StatusOr<ReadJobs> read_live(SqliteReader* reader, JobKey after, size_t limit) {
  return reader->live(after, limit);
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
      SqliteWriter::open(connection, options.retention);
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
  if (relaxed) co_return queue_.write_later(std::move(batch));
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
  queue_.unwritten().add_finished(filter, *end, limit, page);
  co_return page;
}

Co<absl::StatusOr<std::vector<JobView>>> SqliteStore::live(std::string after, size_t limit) {
  std::optional<JobKey> from = after.empty() ? -1 : key_of(after);
  if (!from.has_value()) co_return bad_token(after);
  std::vector<JobView> jobs;
  // Damaged records are left out, and must not make the answer end early: a short one is the last.
  while (jobs.size() < limit && from.has_value()) {
    Lock::Guard guard = co_await reading_.acquire();
    absl::StatusOr<ReadJobs> read =
        co_await offload(&read_live, reader_.get(), *from, limit - jobs.size());
    guard.unlock();
    if (!read.ok()) co_return read.status();
    note_damage(read->damaged);
    for (JobView& job : read->jobs) jobs.push_back(std::move(job));
    from = read->last;
  }
  co_return jobs;
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

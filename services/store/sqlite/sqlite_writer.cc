#include "services/store/sqlite/sqlite_writer.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "services/config/str_cat.h"
#include "services/metrics/stopwatch.h"
#include "services/store/record_codec.h"
#include "services/store/sequence_floor.h"
#include "services/store/sqlite/request_hash.h"
#include "services/store/sqlite/schema.h"

namespace fermata {
namespace {

// Deletes of one batch: enough to keep up with what comes in, little enough to wait for.
constexpr int64_t kEvictBase = 64;
constexpr int64_t kEvictPerRecord = 2;
// Of a finished row beside its record.
constexpr int64_t kRowBytes = 64;
constexpr uint64_t kPageBytes = 8192;

absl::Status bad_id(std::string_view id) {
  return absl::InvalidArgumentError(str_cat("expected a UUIDv7 as the job's id, got '", id, "'"));
}

void bind_request(Statement& statement, int index, const JobSpec& spec) {
  if (spec.request_id.empty()) {
    statement.bind_null(index);
  } else {
    statement.bind(index, request_hash(spec.request_id));
  }
}

void bind_deadline(Statement& statement, int index, const JobSpec& spec) {
  if (spec.deadline == absl::InfiniteFuture()) {
    statement.bind_null(index);
  } else {
    statement.bind(index, absl::ToUnixNanos(spec.deadline));
  }
}

// The newest record of each job, in the order in which the jobs first appear.
std::vector<const JobRecord*> merged(const std::vector<JobView>& records) {
  std::vector<const JobRecord*> latest;
  latest.reserve(records.size());
  absl::flat_hash_map<std::string_view, size_t> places;
  for (const JobView& record : records) {
    const auto [place, fresh] = places.try_emplace(record->id(), latest.size());
    if (fresh) {
      latest.push_back(record.get());
      continue;
    }
    const JobRecord*& kept = latest[place->second];
    if (!kept->finished() && record->sequence >= kept->sequence) kept = record.get();
  }
  return latest;
}

}  // namespace

SqliteWriter::SqliteWriter(Connection connection, const Retention& retention)
    : connection_(std::move(connection)),
      retention_(retention),
      begin_(connection_.db(), "BEGIN IMMEDIATE"),
      commit_(connection_.db(), "COMMIT"),
      rollback_(connection_.db(), "ROLLBACK"),
      insert_live_(connection_.db(), "INSERT INTO live VALUES(?,?,?,?,?,?,?)"),
      update_live_(connection_.db(),
                   "UPDATE live SET sequence=?2, record=?3 WHERE id=?1 AND sequence<=?2"),
      delete_live_(connection_.db(), "DELETE FROM live WHERE id=? AND sequence<=?"),
      find_live_(connection_.db(), "SELECT 1 FROM live WHERE id=?"),
      insert_finished_(connection_.db(), "INSERT INTO finished VALUES(?,?,?,?,?,?)"),
      delete_finished_(connection_.db(), "DELETE FROM finished WHERE id=?"),
      find_finished_(connection_.db(), "SELECT bytes FROM finished WHERE id=?"),
      oldest_finished_(connection_.db(),
                       "SELECT finish, ended, bytes FROM finished ORDER BY finish LIMIT ?"),
      delete_oldest_(connection_.db(), "DELETE FROM finished WHERE finish <= ?"),
      load_counts_(connection_.db(),
                   "SELECT live, finished, finished_bytes, finish, last_id FROM counts"),
      save_counts_(connection_.db(),
                   "UPDATE counts SET live=?, finished=?, finished_bytes=?, finish=?, last_id=?"),
      page_count_(connection_.db(), "PRAGMA page_count") {
  sqlite3_wal_hook(connection_.db(), &SqliteWriter::saw_wal, this);
}

int SqliteWriter::saw_wal(void* self, sqlite3*, const char*, int pages) {
  static_cast<SqliteWriter*>(self)->wal_bytes_ = static_cast<uint64_t>(pages) * kPageBytes;
  return SQLITE_OK;
}

absl::StatusOr<std::unique_ptr<SqliteWriter>> SqliteWriter::open(const ConnectionOptions& options,
                                                                 const Retention& retention,
                                                                 absl::Time now) {
  absl::StatusOr<Connection> connection = Connection::open(options);
  if (!connection.ok()) return connection.status();
  absl::Status status = migrate(connection->db());
  if (!status.ok()) return status;
  std::unique_ptr<SqliteWriter> writer(new SqliteWriter(*std::move(connection), retention));
  for (const Statement* statement :
       {&writer->begin_, &writer->insert_live_, &writer->update_live_, &writer->delete_live_,
        &writer->find_live_, &writer->insert_finished_, &writer->delete_finished_,
        &writer->find_finished_, &writer->oldest_finished_, &writer->delete_oldest_,
        &writer->load_counts_, &writer->save_counts_, &writer->page_count_}) {
    status = statement->status();
    if (!status.ok()) return status;
  }
  status = writer->load_counts();
  if (status.ok()) status = writer->begin_life(now);
  if (status.ok()) status = writer->checkpoint();
  if (!status.ok()) return status;
  return writer;
}

absl::Status SqliteWriter::load_counts() {
  const StatementRows rows(load_counts_);
  const int code = load_counts_.step();
  absl::Status status = sqlite_status(connection_.db(), code, "reading the counts");
  if (!status.ok()) return status;
  if (code != SQLITE_ROW) return absl::DataLossError("the store's file has lost its counts");
  counts_.live = load_counts_.number(0);
  counts_.finished = load_counts_.number(1);
  counts_.finished_bytes = load_counts_.number(2);
  counts_.finish = load_counts_.number(3);
  counts_.last_key = load_counts_.number(4);
  return absl::OkStatus();
}

absl::Status SqliteWriter::begin_life(absl::Time now) {
  Statement load(connection_.db(), "SELECT sequence_floor FROM counts");
  absl::Status status = load.status();
  if (!status.ok()) return status;
  {
    const StatementRows rows(load);
    status = sqlite_status(connection_.db(), load.step(), "reading where the last life began");
    if (!status.ok()) return status;
    sequence_floor_ = next_sequence_floor(load.number(0), now);
  }
  Statement save(connection_.db(), "UPDATE counts SET sequence_floor=?");
  status = save.status();
  if (!status.ok()) return status;
  save.bind(1, sequence_floor_);
  // A full disk is no reason not to start. Then the next life may begin where this one did, unless
  // the clock has gone on.
  (void)save.run("noting where this life begins");
  return absl::OkStatus();
}

WriteAnswer SqliteWriter::write(const WriteRequest& request) {
  WriteAnswer answer;
  const StoreCounts before = counts_;
  answer.status = begin_.run("beginning a batch");
  if (answer.status.ok()) answer.status = apply(request, answer);
  if (answer.status.ok()) answer.status = save_counts();
  if (answer.status.ok()) {
    const Stopwatch watch;
    answer.status = commit_.run("committing a batch");
    answer.sync_ns = watch.elapsed_ns();
  }
  if (!answer.status.ok()) {
    // SQLite has rolled back by itself after some errors.
    if (sqlite3_get_autocommit(connection_.db()) == 0) (void)rollback_.run("rolling back");
    counts_ = before;
    answer.evicted = 0;
  }
  answer.counts = counts_;
  answer.wal_bytes = wal_bytes_;
  return answer;
}

absl::Status SqliteWriter::apply(const WriteRequest& request, WriteAnswer& answer) {
  for (const JobRecord* record : merged(request.records)) {
    absl::Status status = put(*record);
    if (!status.ok()) return status;
  }
  for (const std::string& id : request.removals) {
    absl::StatusOr<absl::Status> removed = remove(id);
    if (!removed.ok()) return removed.status();
    answer.removed.push_back(*std::move(removed));
  }
  return evict(request, answer);
}

absl::Status SqliteWriter::put(const JobRecord& record) {
  const std::optional<JobKey> key = key_of(record.id());
  if (!key.has_value()) return bad_id(record.id());
  absl::Status status = record.finished() ? put_finished(*key, record) : put_live(*key, record);
  counts_.last_key = std::max(counts_.last_key, *key);
  return status;
}

absl::Status SqliteWriter::put_live(JobKey key, const JobRecord& record) {
  const std::string bytes = encode_record(record);
  // Above every key that ever was, it can be in no table.
  if (key > counts_.last_key) return insert_live(key, record, bytes);
  update_live_.bind(1, key);
  update_live_.bind(2, record.sequence);
  update_live_.bind_blob(3, bytes);
  absl::Status status = update_live_.run("updating a job");
  if (!status.ok() || sqlite3_changes(connection_.db()) > 0) return status;
  for (Statement* find : {&find_live_, &find_finished_}) {
    const absl::StatusOr<bool> newer = has(*find, key);
    if (!newer.ok() || *newer) return newer.status();
  }
  return insert_live(key, record, bytes);
}

absl::Status SqliteWriter::insert_live(JobKey key, const JobRecord& record,
                                       const std::string& bytes) {
  const JobSpec& spec = *record.spec;
  insert_live_.bind(1, key);
  insert_live_.bind(2, record.sequence);
  insert_live_.bind_text(3, spec.queue);
  insert_live_.bind(4, spec.priority);
  bind_deadline(insert_live_, 5, spec);
  bind_request(insert_live_, 6, spec);
  insert_live_.bind_blob(7, bytes);
  absl::Status status = insert_live_.run("inserting a job");
  if (status.ok()) ++counts_.live;
  return status;
}

absl::Status SqliteWriter::put_finished(JobKey key, const JobRecord& record) {
  if (key > counts_.last_key) return insert_finished(key, record);
  delete_live_.bind(1, key);
  delete_live_.bind(2, record.sequence);
  absl::Status status = delete_live_.run("ending a job");
  if (!status.ok()) return status;
  const int deleted = sqlite3_changes(connection_.db());
  counts_.live -= deleted;
  // A job is in one table only.
  if (deleted > 0) return insert_finished(key, record);
  for (Statement* find : {&find_live_, &find_finished_}) {
    const absl::StatusOr<bool> stays = has(*find, key);
    if (!stays.ok() || *stays) return stays.status();
  }
  return insert_finished(key, record);
}

absl::Status SqliteWriter::insert_finished(JobKey key, const JobRecord& record) {
  const std::string bytes = encode_record(record);
  const int64_t size = static_cast<int64_t>(bytes.size()) + kRowBytes;
  insert_finished_.bind(1, key);
  insert_finished_.bind(2, ++counts_.finish);
  insert_finished_.bind(3, absl::ToUnixNanos(record.end_time));
  insert_finished_.bind(4, size);
  bind_request(insert_finished_, 5, *record.spec);
  insert_finished_.bind_blob(6, bytes);
  absl::Status status = insert_finished_.run("keeping a finished job");
  if (!status.ok()) return status;
  ++counts_.finished;
  counts_.finished_bytes += size;
  return status;
}

absl::StatusOr<bool> SqliteWriter::has(Statement& find, JobKey key) {
  const StatementRows rows(find);
  find.bind(1, key);
  const int code = find.step();
  absl::Status status = sqlite_status(connection_.db(), code, "looking for a job");
  if (!status.ok()) return status;
  return code == SQLITE_ROW;
}

absl::StatusOr<absl::Status> SqliteWriter::remove(const std::string& id) {
  const absl::Status none = absl::NotFoundError(str_cat("the store has no job '", id, "'"));
  const std::optional<JobKey> key = key_of(id);
  if (!key.has_value()) return none;
  const absl::StatusOr<bool> live = has(find_live_, *key);
  if (!live.ok()) return live.status();
  if (*live) {
    return absl::FailedPreconditionError(
        str_cat("job '", id, "' has not ended; only a finished job can be removed"));
  }
  int64_t bytes = 0;
  {
    const StatementRows rows(find_finished_);
    find_finished_.bind(1, *key);
    const int code = find_finished_.step();
    absl::Status status = sqlite_status(connection_.db(), code, "looking for a job");
    if (!status.ok()) return status;
    if (code != SQLITE_ROW) return none;
    bytes = find_finished_.number(0);
  }
  absl::Status forgotten = forget(*key, bytes);
  if (!forgotten.ok()) return forgotten;
  return absl::OkStatus();
}

absl::Status SqliteWriter::forget(JobKey key, int64_t bytes) {
  delete_finished_.bind(1, key);
  absl::Status status = delete_finished_.run("forgetting a job");
  if (!status.ok()) return status;
  --counts_.finished;
  counts_.finished_bytes -= bytes;
  return status;
}

// All of a batch in one statement: one for each costs as much again as what it does.
absl::Status SqliteWriter::evict(const WriteRequest& request, WriteAnswer& answer) {
  const int64_t most = kEvictBase + kEvictPerRecord * static_cast<int64_t>(request.records.size());
  const int64_t oldest_ns = absl::ToUnixNanos(request.now - retention_.age);
  int64_t jobs = counts_.finished, bytes = counts_.finished_bytes, last = 0;
  {
    const StatementRows open_rows(oldest_finished_);
    oldest_finished_.bind(1, most);
    int code = SQLITE_ROW;
    while ((code = oldest_finished_.step()) == SQLITE_ROW) {
      if (jobs <= static_cast<int64_t>(retention_.jobs) &&
          bytes <= static_cast<int64_t>(retention_.bytes) &&
          oldest_finished_.number(1) >= oldest_ns) {
        break;
      }
      last = oldest_finished_.number(0);
      --jobs;
      bytes -= oldest_finished_.number(2);
    }
    absl::Status status = sqlite_status(connection_.db(), code, "reading the oldest jobs");
    if (!status.ok()) return status;
  }
  const int64_t evicted = counts_.finished - jobs;
  answer.evicted = static_cast<uint64_t>(evicted);
  answer.more_to_evict = evicted == most;
  if (evicted == 0) return absl::OkStatus();
  delete_oldest_.bind(1, last);
  absl::Status status = delete_oldest_.run("forgetting the oldest jobs");
  if (!status.ok()) return status;
  counts_.finished = jobs;
  counts_.finished_bytes = bytes;
  return status;
}

absl::Status SqliteWriter::save_counts() {
  save_counts_.bind(1, counts_.live);
  save_counts_.bind(2, counts_.finished);
  save_counts_.bind(3, counts_.finished_bytes);
  save_counts_.bind(4, counts_.finish);
  save_counts_.bind(5, counts_.last_key);
  return save_counts_.run("saving the counts");
}

absl::Status SqliteWriter::checkpoint() {
  int pages = 0, moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(connection_.db(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             &pages, &moved);
  // A reader that is not done keeps the rest for the next time.
  if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) return absl::OkStatus();
  absl::Status status = sqlite_status(connection_.db(), code, "moving the log into the file");
  if (!status.ok()) return status;
  if (moved == pages) wal_bytes_ = 0;
  const StatementRows rows(page_count_);
  if (page_count_.step() == SQLITE_ROW) {
    file_bytes_ = static_cast<uint64_t>(page_count_.number(0)) * kPageBytes;
  }
  return status;
}

}  // namespace fermata

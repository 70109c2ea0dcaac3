#include "services/store/sqlite/sqlite_reader.h"

#include <utility>

#include "services/config/str_cat.h"
#include "services/store/record_codec.h"
#include "services/store/sqlite/request_hash.h"

namespace fermata {
namespace {

// A read transaction over several statements, so that a job that moves from one table to the other
// is seen in one of them.
class Snapshot {
 public:
  explicit Snapshot(sqlite3* db) : db_(db) { (void)sqlite_run(db_, "BEGIN"); }
  Snapshot(const Snapshot&) = delete;
  ~Snapshot() { (void)sqlite_run(db_, "COMMIT"); }

 private:
  sqlite3* db_;
};

std::string damage(std::string_view job, const absl::Status& why) {
  return str_cat("job ", job, " cannot be read: ", std::string(why.message()),
                 "; nothing of it is given out, and `fermata store verify` lists all that is "
                 "affected");
}

// The record in a row, which must be the one of its key.
absl::StatusOr<JobView> decode_row(JobKey key, std::string_view bytes) {
  absl::StatusOr<JobView> record = decode_record(bytes);
  if (!record.ok()) return record;
  const std::optional<JobKey> own = key_of((*record)->id());
  if (!own.has_value() || *own != key) {
    return absl::DataLossError(str_cat("it is the record of another job, '", (*record)->id(), "'"));
  }
  return record;
}

void take_row(JobKey key, std::string_view bytes, std::vector<JobView>& jobs,
              std::vector<std::string>& damaged) {
  absl::StatusOr<JobView> record = decode_row(key, bytes);
  if (record.ok()) {
    jobs.push_back(*std::move(record));
  } else {
    damaged.push_back(damage(str_cat("with key ", key), record.status()));
  }
}

absl::Status no_job(const std::string& id) {
  return absl::NotFoundError(str_cat("the store has no job '", id, "'"));
}

}  // namespace

SqliteReader::SqliteReader(Connection connection)
    : connection_(std::move(connection)),
      get_live_(connection_.db(), "SELECT id, record FROM live WHERE id=?"),
      get_finished_(connection_.db(), "SELECT id, record FROM finished WHERE id=?"),
      request_live_(connection_.db(),
                    "SELECT id, record FROM live WHERE request=? ORDER BY id DESC LIMIT 16"),
      request_finished_(
          connection_.db(),
          "SELECT id, record FROM finished WHERE request=? ORDER BY id DESC LIMIT 16"),
      list_finished_(connection_.db(),
                     "SELECT id, record FROM finished WHERE id<? AND ended>=? ORDER BY id DESC"),
      list_live_(connection_.db(), "SELECT id, record FROM live WHERE id<? ORDER BY id DESC"),
      lanes_(connection_.db(),
             "SELECT queue, count(*) FROM live INDEXED BY live_lane GROUP BY queue"),
      level_(connection_.db(),
             "SELECT id, record FROM live INDEXED BY live_lane"
             " WHERE queue=? AND priority=? AND id>=? ORDER BY id"),
      next_level_(connection_.db(),
                  "SELECT priority FROM live INDEXED BY live_lane"
                  " WHERE queue=? AND priority<? ORDER BY priority DESC LIMIT 1"),
      due_(connection_.db(),
           "SELECT id, record FROM live INDEXED BY live_deadline"
           " WHERE deadline IS NOT NULL AND (deadline, id)>(?, ?) AND deadline<=?"
           " ORDER BY deadline, id"),
      next_deadline_(connection_.db(),
                     "SELECT deadline FROM live INDEXED BY live_deadline"
                     " WHERE deadline IS NOT NULL AND deadline>? ORDER BY deadline LIMIT 1") {}

absl::StatusOr<std::unique_ptr<SqliteReader>> SqliteReader::open(const ConnectionOptions& options) {
  absl::StatusOr<Connection> connection = Connection::open(options);
  if (!connection.ok()) return connection.status();
  std::unique_ptr<SqliteReader> reader(new SqliteReader(*std::move(connection)));
  for (const Statement* statement :
       {&reader->get_live_, &reader->get_finished_, &reader->request_live_,
        &reader->request_finished_, &reader->list_finished_, &reader->list_live_, &reader->lanes_,
        &reader->level_, &reader->next_level_, &reader->due_, &reader->next_deadline_}) {
    absl::Status status = statement->status();
    if (!status.ok()) return status;
  }
  return reader;
}

absl::StatusOr<std::optional<JobView>> SqliteReader::find_by_key(Statement& find, JobKey key,
                                                                 const std::string& id) {
  const StatementRows rows(find);
  find.bind(1, key);
  const int code = find.step();
  absl::Status status = sqlite_status(connection_.db(), code, "reading a job");
  if (!status.ok()) return status;
  if (code != SQLITE_ROW) return std::optional<JobView>();
  absl::StatusOr<JobView> record = decode_row(key, find.blob(1));
  if (!record.ok()) {
    return absl::Status(record.status().code(), damage(str_cat("'", id, "'"), record.status()));
  }
  return std::optional<JobView>(*std::move(record));
}

absl::StatusOr<JobView> SqliteReader::get(std::string id) {
  const std::optional<JobKey> key = key_of(id);
  if (!key.has_value()) return no_job(id);
  const Snapshot snapshot(connection_.db());
  for (Statement* find : {&get_live_, &get_finished_}) {
    absl::StatusOr<std::optional<JobView>> found = find_by_key(*find, *key, id);
    if (!found.ok()) return found.status();
    if (found->has_value() && (**found)->id() == id) return **found;
  }
  return no_job(id);
}

absl::StatusOr<JobView> SqliteReader::find_by_request(Statement& find,
                                                      const std::string& request_id) {
  const StatementRows rows(find);
  find.bind(1, request_hash(request_id));
  int code = SQLITE_ROW;
  while ((code = find.step()) == SQLITE_ROW) {
    absl::StatusOr<JobView> record = decode_row(find.number(0), find.blob(1));
    if (!record.ok()) {
      // It may be the one: a second job in its place would be the worse answer.
      return absl::Status(record.status().code(),
                          damage(str_cat("of request '", request_id, "'"), record.status()));
    }
    if ((*record)->spec->request_id == request_id) return record;
  }
  absl::Status status = sqlite_status(connection_.db(), code, "looking for a request");
  if (!status.ok()) return status;
  return JobView();
}

absl::StatusOr<JobView> SqliteReader::find_request(std::string request_id) {
  const Snapshot snapshot(connection_.db());
  absl::StatusOr<JobView> found = find_by_request(request_live_, request_id);
  if (!found.ok() || *found != nullptr) return found;
  return find_by_request(request_finished_, request_id);
}

absl::StatusOr<ReadJobs> SqliteReader::list_finished(JobFilter filter, JobKey before, size_t limit,
                                                     absl::Time oldest) {
  list_finished_.bind(1, before);
  list_finished_.bind(2, absl::ToUnixNanos(oldest));
  return list(list_finished_, filter, limit);
}

absl::StatusOr<ReadJobs> SqliteReader::list_unfinished(JobFilter filter, JobKey before,
                                                       size_t limit) {
  list_live_.bind(1, before);
  return list(list_live_, filter, limit);
}

absl::StatusOr<ReadJobs> SqliteReader::list(Statement& rows, const JobFilter& filter,
                                            size_t limit) {
  const StatementRows open_rows(rows);
  ReadJobs out;
  size_t searched = 0;
  for (;;) {
    const int code = rows.step();
    if (code == SQLITE_DONE) {
      out.last.reset();
      return out;
    }
    absl::Status status = sqlite_status(connection_.db(), code, "listing jobs");
    if (!status.ok()) return status;
    // One row more than is given, to know whether there is more.
    if (out.jobs.size() == limit || searched++ == kSearchMax) return out;
    out.last = rows.number(0);
    take_row(*out.last, rows.blob(1), out.jobs, out.damaged);
    if (!out.jobs.empty() && key_of(out.jobs.back()->id()) == out.last &&
        !filter.matches(*out.jobs.back())) {
      out.jobs.pop_back();
    }
  }
}

absl::StatusOr<std::vector<StoredLane>> SqliteReader::lanes() {
  const StatementRows rows(lanes_);
  std::vector<StoredLane> lanes;
  int code = SQLITE_ROW;
  while ((code = lanes_.step()) == SQLITE_ROW) {
    lanes.push_back({std::string(lanes_.blob(0)), static_cast<size_t>(lanes_.number(1))});
  }
  absl::Status status = sqlite_status(connection_.db(), code, "counting unfinished jobs");
  if (!status.ok()) return status;
  return lanes;
}

absl::StatusOr<ReadLane> SqliteReader::lane(std::string queue, std::optional<LanePlace> from,
                                            size_t limit, size_t bytes) {
  const Snapshot snapshot(connection_.db());
  ReadLane out;
  int64_t below = int64_t{1} << 32;  // above every priority
  if (from.has_value()) {
    absl::Status status =
        read_level(queue, from->priority, key_of(from->id).value_or(0), limit, bytes, out);
    if (!status.ok()) return status;
    below = from->priority;
  }
  while (!out.page.more) {
    const absl::StatusOr<std::optional<int64_t>> level = next_level(queue, below);
    if (!level.ok()) return level.status();
    if (!level->has_value()) break;
    below = **level;
    absl::Status status = read_level(queue, below, 0, limit, bytes, out);
    if (!status.ok()) return status;
  }
  return out;
}

absl::Status SqliteReader::read_level(const std::string& queue, int64_t priority, JobKey from,
                                      size_t limit, size_t bytes, ReadLane& out) {
  const StatementRows rows(level_);
  level_.bind_text(1, queue);
  level_.bind(2, priority);
  level_.bind(3, from);
  size_t taken = 0;
  for (const JobView& job : out.page.jobs) taken += bytes_of(*job);
  int code = SQLITE_ROW;
  while ((code = level_.step()) == SQLITE_ROW) {
    // One row more than is given, to know whether there is more.
    out.page.more = out.page.jobs.size() == limit || (taken >= bytes && taken > 0);
    if (out.page.more) return absl::OkStatus();
    const size_t before = out.page.jobs.size();
    take_row(level_.number(0), level_.blob(1), out.page.jobs, out.damaged);
    if (out.page.jobs.size() > before) taken += bytes_of(*out.page.jobs.back());
  }
  return sqlite_status(connection_.db(), code, "reading a queue's jobs");
}

absl::StatusOr<std::optional<int64_t>> SqliteReader::next_level(const std::string& queue,
                                                                int64_t below) {
  const StatementRows rows(next_level_);
  next_level_.bind_text(1, queue);
  next_level_.bind(2, below);
  const int code = next_level_.step();
  absl::Status status = sqlite_status(connection_.db(), code, "reading a queue's priorities");
  if (!status.ok()) return status;
  if (code != SQLITE_ROW) return std::optional<int64_t>();
  return std::optional<int64_t>(next_level_.number(0));
}

absl::StatusOr<ReadDue> SqliteReader::due(absl::Time until, DuePlace after, size_t limit) {
  const Snapshot snapshot(connection_.db());
  ReadDue out;
  {
    const StatementRows rows(due_);
    due_.bind(1, absl::ToUnixNanos(after.deadline));
    due_.bind(2, key_of(after.id).value_or(-1));
    due_.bind(3, absl::ToUnixNanos(until));
    int code = SQLITE_ROW;
    while ((code = due_.step()) == SQLITE_ROW) {
      out.page.more = out.page.jobs.size() == limit;
      if (out.page.more) return out;
      take_row(due_.number(0), due_.blob(1), out.page.jobs, out.damaged);
    }
    absl::Status status = sqlite_status(connection_.db(), code, "reading jobs that are due");
    if (!status.ok()) return status;
  }
  const absl::StatusOr<absl::Time> next = next_deadline(until);
  if (!next.ok()) return next.status();
  out.page.next = *next;
  return out;
}

absl::StatusOr<absl::Time> SqliteReader::next_deadline(absl::Time after) {
  const StatementRows rows(next_deadline_);
  next_deadline_.bind(1, absl::ToUnixNanos(after));
  const int code = next_deadline_.step();
  absl::Status status = sqlite_status(connection_.db(), code, "reading the next deadline");
  if (!status.ok()) return status;
  if (code != SQLITE_ROW) return absl::InfiniteFuture();
  return absl::FromUnixNanos(next_deadline_.number(0));
}

}  // namespace fermata

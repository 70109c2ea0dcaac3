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

void take_row(JobKey key, std::string_view bytes, ReadJobs& out) {
  absl::StatusOr<JobView> record = decode_row(key, bytes);
  if (record.ok()) {
    out.jobs.push_back(*std::move(record));
  } else {
    out.damaged.push_back(damage(str_cat("with key ", key), record.status()));
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
      list_live_(connection_.db(), "SELECT id, record FROM live WHERE id>? ORDER BY id LIMIT ?") {}

absl::StatusOr<std::unique_ptr<SqliteReader>> SqliteReader::open(const ConnectionOptions& options) {
  absl::StatusOr<Connection> connection = Connection::open(options);
  if (!connection.ok()) return connection.status();
  std::unique_ptr<SqliteReader> reader(new SqliteReader(*std::move(connection)));
  for (const Statement* statement :
       {&reader->get_live_, &reader->get_finished_, &reader->request_live_,
        &reader->request_finished_, &reader->list_finished_, &reader->list_live_}) {
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
  const StatementRows rows(list_finished_);
  list_finished_.bind(1, before);
  list_finished_.bind(2, absl::ToUnixNanos(oldest));
  ReadJobs out;
  size_t searched = 0;
  for (;;) {
    const int code = list_finished_.step();
    if (code == SQLITE_DONE) {
      out.last.reset();
      return out;
    }
    absl::Status status = sqlite_status(connection_.db(), code, "listing jobs");
    if (!status.ok()) return status;
    // One row more than is given, to know whether there is more.
    if (out.jobs.size() == limit || searched++ == kSearchMax) return out;
    out.last = list_finished_.number(0);
    take_row(*out.last, list_finished_.blob(1), out);
    if (!out.jobs.empty() && key_of(out.jobs.back()->id()) == out.last &&
        !filter.matches(*out.jobs.back())) {
      out.jobs.pop_back();
    }
  }
}

absl::StatusOr<ReadJobs> SqliteReader::live(JobKey after, size_t limit) {
  const StatementRows rows(list_live_);
  list_live_.bind(1, after);
  list_live_.bind(2, static_cast<int64_t>(limit));
  ReadJobs out;
  int code = SQLITE_ROW;
  size_t rows_read = 0;
  while ((code = list_live_.step()) == SQLITE_ROW) {
    ++rows_read;
    out.last = list_live_.number(0);
    take_row(*out.last, list_live_.blob(1), out);
  }
  absl::Status status = sqlite_status(connection_.db(), code, "reading unfinished jobs");
  if (!status.ok()) return status;
  if (rows_read < limit) out.last.reset();
  return out;
}

}  // namespace fermata

#include "services/store/sqlite/maintenance.h"

#include <sys/stat.h>

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "services/config/str_cat.h"
#include "services/store/job_key.h"
#include "services/store/record_codec.h"
#include "services/store/sqlite/connection.h"
#include "services/store/sqlite/schema.h"
#include "services/store/sqlite/statement.h"
#include "services/store/sqlite/store_directory.h"

namespace fermata {
namespace {

constexpr int64_t kPageBytes = 8192;

absl::StatusOr<Connection> open_store(const std::string& directory) {
  ConnectionOptions options;
  options.path = store_file(directory);
  absl::StatusOr<Connection> connection = Connection::open(options);
  if (!connection.ok()) return connection;
  const absl::StatusOr<int> version = schema_version(connection->db());
  if (!version.ok()) return version.status();
  if (*version < 1 || *version > kSchemaVersion) {
    return absl::FailedPreconditionError(str_cat(directory,
                                                 ": expected a store of schema version 1 to ",
                                                 kSchemaVersion, ", got ", *version));
  }
  return connection;
}

absl::StatusOr<int64_t> number(sqlite3* db, const char* sql, int column = 0) {
  Statement read(db, sql);
  absl::Status status = read.status();
  if (!status.ok()) return status;
  const StatementRows rows(read);
  const int code = read.step();
  status = sqlite_status(db, code, sql);
  if (!status.ok()) return status;
  if (code != SQLITE_ROW) return absl::DataLossError(str_cat("no answer to ", sql));
  return read.number(column);
}

uint64_t size_of(const std::string& file) {
  struct stat found = {};
  return stat(file.c_str(), &found) == 0 ? static_cast<uint64_t>(found.st_size) : 0;
}

absl::StatusOr<StoreFigures> figures_of(sqlite3* db, const std::string& directory) {
  StoreFigures figures;
  struct Wanted {
    int64_t* to;
    const char* sql;
  };
  int64_t version = 0, free_pages = 0;
  for (const Wanted& wanted :
       {Wanted{&version, "PRAGMA user_version"}, Wanted{&free_pages, "PRAGMA freelist_count"},
        Wanted{&figures.live, "SELECT live FROM counts"},
        Wanted{&figures.finished, "SELECT finished FROM counts"},
        Wanted{&figures.finished_bytes, "SELECT finished_bytes FROM counts"}}) {
    const absl::StatusOr<int64_t> got = number(db, wanted.sql);
    if (!got.ok()) return got.status();
    *wanted.to = *got;
  }
  figures.schema_version = static_cast<int>(version);
  figures.free_bytes = static_cast<uint64_t>(free_pages * kPageBytes);
  figures.file_bytes = size_of(store_file(directory));
  figures.log_bytes = size_of(store_file(directory) + "-wal");
  figures.in_use = StoreDirectory::owned(directory);
  return figures;
}

// Reads everything and keeps the report.
class Verifier {
 public:
  Verifier(sqlite3* db, StoreReport& report) : db_(db), report_(report) {}

  absl::Status run() {
    absl::Status status = structure();
    if (status.ok()) status = table("live", "SELECT id, record, sequence, 0 FROM live ORDER BY id");
    if (status.ok()) {
      status = table("finished", "SELECT id, record, finish, bytes FROM finished ORDER BY id");
    }
    if (!status.ok()) return status;
    count("live", live_, report_.figures.live);
    count("finished", finished_, report_.figures.finished);
    count("finished_bytes", finished_bytes_, report_.figures.finished_bytes);
    return absl::OkStatus();
  }

 private:
  void problem(std::string text) {
    ++report_.problem_count;
    if (report_.problems.size() < StoreReport::kProblemsMax) {
      report_.problems.push_back(std::move(text));
    }
  }

  void count(std::string_view what, int64_t found, int64_t noted) {
    if (found == noted) return;
    problem(str_cat("counts.", what, " says ", noted, ", and there are ", found));
  }

  absl::Status structure() {
    Statement check(db_, "PRAGMA integrity_check(100)");
    absl::Status status = check.status();
    if (!status.ok()) return status;
    const StatementRows rows(check);
    int code = SQLITE_ROW;
    while ((code = check.step()) == SQLITE_ROW) {
      if (check.blob(0) != "ok") problem(str_cat("structure: ", check.blob(0)));
    }
    note_end(code, "structure");
    return absl::OkStatus();
  }

  absl::Status table(std::string_view name, const char* sql) {
    Statement read(db_, sql);
    absl::Status status = read.status();
    if (!status.ok()) return status;
    const StatementRows rows(read);
    int code = SQLITE_ROW;
    while ((code = read.step()) == SQLITE_ROW) {
      const bool finished = name == "finished";
      (finished ? finished_ : live_) += 1;
      if (finished) finished_bytes_ += read.number(3);
      row(name, read);
    }
    note_end(code, name);
    return absl::OkStatus();
  }

  void row(std::string_view table, Statement& read) {
    const JobKey key = read.number(0);
    const std::string where = str_cat(table, ", job with key ", key, " (", id_floor(key), "): ");
    const absl::StatusOr<JobView> record = decode_record(read.blob(1));
    if (!record.ok()) {
      return problem(where + std::string(record.status().message()));
    }
    if (key_of((*record)->id()) != std::optional<JobKey>(key)) {
      return problem(str_cat(where, "it holds the record of job ", (*record)->id()));
    }
    if ((*record)->finished() != (table == "finished")) {
      return problem(str_cat(where, "its record is ", to_string((*record)->state)));
    }
    if (table == "live" && (*record)->sequence != read.number(2)) {
      return problem(str_cat(where, "the row says sequence ", read.number(2), ", the record ",
                             (*record)->sequence));
    }
    ++report_.records;
  }

  // A table that cannot be read to its end is a finding like any other.
  void note_end(int code, std::string_view what) {
    const absl::Status status = sqlite_status(db_, code, str_cat("reading ", what));
    if (!status.ok()) problem(std::string(status.message()));
  }

  sqlite3* db_;
  StoreReport& report_;
  int64_t live_ = 0, finished_ = 0, finished_bytes_ = 0;
};

}  // namespace

absl::StatusOr<StoreFigures> store_figures(const std::string& directory) {
  const absl::StatusOr<Connection> connection = open_store(directory);
  if (!connection.ok()) return connection.status();
  return figures_of(connection->db(), directory);
}

absl::StatusOr<StoreReport> verify_store(const std::string& directory) {
  const absl::StatusOr<Connection> connection = open_store(directory);
  if (!connection.ok()) return connection.status();
  absl::Status status = sqlite_run(connection->db(), "BEGIN");
  if (!status.ok()) return status;
  StoreReport report;
  absl::StatusOr<StoreFigures> figures = figures_of(connection->db(), directory);
  if (!figures.ok()) return figures.status();
  report.figures = *figures;
  status = Verifier(connection->db(), report).run();
  if (!status.ok()) return status;
  return report;
}

absl::Status copy_store(const std::string& from, const std::string& to) {
  const absl::StatusOr<Connection> source = open_store(from);
  if (!source.ok()) return source.status();
  absl::StatusOr<StoreDirectory> claimed = StoreDirectory::claim_new(to);
  if (!claimed.ok()) return claimed.status();
  ConnectionOptions options;
  options.path = store_file(to);
  options.writes = true;
  const absl::StatusOr<Connection> target = Connection::open(options);
  if (!target.ok()) return target.status();
  sqlite3_backup* backup = sqlite3_backup_init(target->db(), "main", source->db(), "main");
  if (backup == nullptr) {
    return sqlite_status(target->db(), sqlite3_errcode(target->db()), "beginning the copy");
  }
  // All in one step, so that it is one moment, however much is written meanwhile.
  const int copied = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  absl::Status status =
      sqlite_status(nullptr, copied == SQLITE_DONE ? finished : copied, "copying");
  if (status.ok()) status = sqlite_run(target->db(), "PRAGMA wal_checkpoint(TRUNCATE)");
  if (status.ok()) status = claimed->made();
  return status;
}

absl::Status compact_store(const std::string& directory) {
  const absl::StatusOr<StoreDirectory> claimed = StoreDirectory::claim(directory);
  if (!claimed.ok()) return claimed.status();
  ConnectionOptions options;
  options.path = store_file(directory);
  absl::StatusOr<Connection> connection = open_store(directory);
  if (!connection.ok()) return connection.status();
  options.writes = true;
  connection = Connection::open(options);
  if (!connection.ok()) return connection.status();
  absl::Status status = sqlite_run(connection->db(), "VACUUM");
  if (status.ok()) status = sqlite_run(connection->db(), "PRAGMA wal_checkpoint(TRUNCATE)");
  return status;
}

}  // namespace fermata

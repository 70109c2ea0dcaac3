#include "services/store/sqlite/statement.h"

#include <utility>

#include "services/config/str_cat.h"

namespace fermata {

absl::Status sqlite_status(sqlite3* db, int code, std::string_view doing) {
  const int primary = code & 0xff;
  if (primary == SQLITE_OK || primary == SQLITE_ROW || primary == SQLITE_DONE) {
    return absl::OkStatus();
  }
  const std::string what =
      str_cat(doing, ": ", db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db), " (SQLite ",
              code, ")");
  switch (primary) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(
          str_cat("no space left on the disk, or store.bytes is "
                  "reached, while ",
                  what));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(str_cat("the store's file is damaged: ", what));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::AbortedError(str_cat("another process holds the store's file, while ", what));
    default:
      return absl::UnavailableError(str_cat("the store's disk failed while ", what));
  }
}

absl::Status sqlite_run(sqlite3* db, const char* sql) {
  return sqlite_status(db, sqlite3_exec(db, sql, nullptr, nullptr, nullptr), sql);
}

Statement::Statement(sqlite3* db, const char* sql) : db_(db) {
  prepared_ = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
}

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_),
      statement_(std::exchange(other.statement_, nullptr)),
      prepared_(other.prepared_) {}

absl::Status Statement::status() const {
  return sqlite_status(db_, prepared_, "preparing a statement");
}

absl::Status Statement::run(std::string_view doing) {
  const int code = step();
  absl::Status status = sqlite_status(db_, code, doing);
  reset();
  return status;
}

std::string_view Statement::blob(int column) {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

}  // namespace fermata

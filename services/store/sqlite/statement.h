// Statement: one prepared SQL statement of one connection, made once and run many times.
//
//   Statement find(db, "SELECT record FROM finished WHERE id = ?");
//   find.bind(1, key);
//   if (find.step() == SQLITE_ROW) use(find.blob(0));
//   find.reset();
//
// Blobs that are bound must live until reset(); what column readers give, until the next step().
// On the thread that uses the connection.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace fermata {

// OK, or what went wrong in words, `doing` what. RESOURCE_EXHAUSTED: no space left. DATA_LOSS: the
// file is damaged. ABORTED: another process holds it. UNAVAILABLE: anything else; the disk failed,
// as a rule.
absl::Status sqlite_status(sqlite3* db, int code, std::string_view doing);

// Runs statements that give no rows.
absl::Status sqlite_run(sqlite3* db, const char* sql);

class Statement {
 public:
  Statement(sqlite3* db, const char* sql);
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  // What preparing it gave; nothing else may be called unless it is OK.
  absl::Status status() const;

  void bind(int index, int64_t value) { sqlite3_bind_int64(statement_, index, value); }
  void bind_null(int index) { sqlite3_bind_null(statement_, index); }
  void bind_blob(int index, std::string_view bytes) {
    sqlite3_bind_blob64(statement_, index, bytes.data(), bytes.size(), SQLITE_STATIC);
  }
  void bind_text(int index, std::string_view text) {
    sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }

  // SQLITE_ROW, SQLITE_DONE, or an error.
  int step() { return sqlite3_step(statement_); }
  void reset() { sqlite3_reset(statement_); }
  // step() and reset() of a statement that gives no row.
  absl::Status run(std::string_view doing);

  int64_t number(int column) { return sqlite3_column_int64(statement_, column); }
  bool is_null(int column) { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::string_view blob(int column);

  sqlite3* db() const { return db_; }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  int prepared_;
};

// Resets a statement when its rows have been read.
class StatementRows {
 public:
  explicit StatementRows(Statement& statement) : statement_(statement) {}
  StatementRows(const StatementRows&) = delete;
  ~StatementRows() { statement_.reset(); }

 private:
  Statement& statement_;
};

}  // namespace fermata

#include "services/store/sqlite/schema.h"

#include <array>
#include <string>

#include "services/config/str_cat.h"
#include "services/store/sqlite/statement.h"

namespace fermata {
namespace {

constexpr int64_t kApplicationId = 0x46524d54;  // "FRMT"

// kMigrations[v] makes version v + 1 of version v. Never change one that was released.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {
    R"(
CREATE TABLE live(
  id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, queue TEXT NOT NULL,
  priority INTEGER NOT NULL, deadline INTEGER, request INTEGER, record BLOB NOT NULL);
CREATE INDEX live_lane ON live(queue, priority);
CREATE INDEX live_deadline ON live(deadline) WHERE deadline IS NOT NULL;
CREATE INDEX live_request ON live(request) WHERE request IS NOT NULL;
CREATE TABLE finished(
  id INTEGER PRIMARY KEY, finish INTEGER NOT NULL, ended INTEGER NOT NULL,
  bytes INTEGER NOT NULL, request INTEGER, record BLOB NOT NULL);
CREATE INDEX finished_order ON finished(finish);
CREATE INDEX finished_request ON finished(request) WHERE request IS NOT NULL;
CREATE TABLE counts(
  one INTEGER PRIMARY KEY CHECK (one = 1), live INTEGER NOT NULL, finished INTEGER NOT NULL,
  finished_bytes INTEGER NOT NULL, finish INTEGER NOT NULL, last_id INTEGER NOT NULL);
INSERT INTO counts VALUES(1, 0, 0, 0, 0, 0);
)",
    "ALTER TABLE counts ADD COLUMN sequence_floor INTEGER NOT NULL DEFAULT 0;"};

absl::StatusOr<int64_t> pragma(sqlite3* db, const char* sql) {
  Statement read(db, sql);
  absl::Status status = read.status();
  if (!status.ok()) return status;
  const StatementRows rows(read);
  status = sqlite_status(db, read.step(), "reading the schema's version");
  if (!status.ok()) return status;
  return read.number(0);
}

}  // namespace

absl::StatusOr<int> schema_version(sqlite3* db) {
  const absl::StatusOr<int64_t> version = pragma(db, "PRAGMA user_version");
  if (!version.ok()) return version.status();
  const absl::StatusOr<int64_t> application = pragma(db, "PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> objects = pragma(db, "SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.status();
  if (*application != kApplicationId && (*objects > 0 || *version > 0)) {
    return absl::FailedPreconditionError(
        "the file is a database of another program; give the store a directory of its own");
  }
  return static_cast<int>(*version);
}

absl::Status migrate(sqlite3* db) {
  const absl::StatusOr<int> found = schema_version(db);
  if (!found.ok()) return found.status();
  if (*found > kSchemaVersion) {
    return absl::FailedPreconditionError(
        str_cat("the store has schema version ", *found, ", this server knows up to ",
                kSchemaVersion, "; run the newer server, or restore a backup from before it"));
  }
  for (int version = *found; version < kSchemaVersion; ++version) {
    const std::string step = str_cat("BEGIN IMMEDIATE;", kMigrations[static_cast<size_t>(version)],
                                     "PRAGMA application_id=", kApplicationId,
                                     ";PRAGMA user_version=", version + 1, ";COMMIT;");
    absl::Status status = sqlite_run(db, step.c_str());
    if (!status.ok()) {
      (void)sqlite_run(db, "ROLLBACK");
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace fermata

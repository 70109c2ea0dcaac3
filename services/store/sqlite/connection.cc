#include "services/store/sqlite/connection.h"

#include <algorithm>

#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/store/sqlite/statement.h"

namespace fermata {
namespace {

constexpr int kPageBytes = 8192;
// Another process may hold the write lock for a moment: `fermata store backup` does not, a curious
// person's sqlite3 shell may.
constexpr int kBusyMs = 2000;
constexpr char kReadSetup[] = "PRAGMA cache_size=-8192; PRAGMA query_only=1;";
constexpr char kWriteSetup[] =
    "PRAGMA page_size=8192;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA wal_autocheckpoint=0;"
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA cache_size=-32768;";

}  // namespace

absl::StatusOr<Connection> Connection::open(const ConnectionOptions& options) {
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (options.writes ? SQLITE_OPEN_CREATE : 0);
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(options.path.c_str(), &db, flags,
                                     options.vfs.empty() ? nullptr : options.vfs.c_str());
  Connection connection(db);
  absl::Status status = sqlite_status(db, opened, str_cat("opening ", options.path));
  if (!status.ok()) return status;
  sqlite3_extended_result_codes(db, 1);
  // Who only reads leaves the log to the owner.
  if (!options.writes) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_busy_timeout(db, kBusyMs);
  status = sqlite_run(db, options.writes ? kWriteSetup : kReadSetup);
  if (planted(PlantedBug::kSkipSync) && status.ok()) {
    status = sqlite_run(db, "PRAGMA synchronous=OFF");
  }
  if (status.ok() && options.writes && options.bytes_max > 0) {
    const uint64_t pages = std::max<uint64_t>(options.bytes_max / kPageBytes, 1);
    status = sqlite_run(db, str_cat("PRAGMA max_page_count=", pages).c_str());
  }
  if (!status.ok())
    return absl::Status(status.code(), str_cat(options.path, ": ", std::string(status.message())));
  return connection;
}

}  // namespace fermata

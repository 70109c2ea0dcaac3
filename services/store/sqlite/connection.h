// Connection: one SQLite connection to a store's file, set up the way the store needs it.
//
// WAL, so that readers and the one writer do not wait for each other; synchronous=FULL, so that a
// commit is on the disk when it answers; no automatic checkpoint, since a commit that callers wait
// for is the wrong moment (writer.h has the right one). Used by one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace fermata {

struct ConnectionOptions {
  std::string path;
  std::string vfs;  // "": the system's
  bool writes = false;
  uint64_t bytes_max = 0;  // of the file; 0: as large as SQLite goes
};

class Connection {
 public:
  // DATA_LOSS: not a database, or a damaged one.
  static absl::StatusOr<Connection> open(const ConnectionOptions& options);

  sqlite3* db() const { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Connection(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace fermata

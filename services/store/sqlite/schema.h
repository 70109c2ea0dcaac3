// The tables of a store's file, and how older ones become newer ones.
//
//   live      unfinished jobs by key: a table of its own, so that recovery and refills read
//             nothing else
//   finished  by key for lists, `finish` in the order in which they ended for retention
//   counts    one row: what the tables hold, written with every commit, so opening counts nothing;
//             and where this life's event sequences begin, written when it opens
//
// Random keys in an index are what costs, so there are none but the hashes of request ids, and
// those only for jobs that have one. `user_version` is the schema's version: migrate() brings an
// older file forward, one version a transaction, and refuses a newer one. Writer's thread.
#pragma once

#include <sqlite3.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fermata {

inline constexpr int kSchemaVersion = 2;

// FAILED_PRECONDITION: another program's file, or a newer server's.
absl::Status migrate(sqlite3* db);

// The version of the file as it is; 0 when it is new.
absl::StatusOr<int> schema_version(sqlite3* db);

}  // namespace fermata

// What an operator does with a store's directory: verify, look at it, copy it, make it smaller.
//
// verify, figures and copy read through a connection of their own and may run while a server does;
// what they see is one moment of it. compact needs the directory to itself. All of it blocks:
// programs for the command line, nothing for a loop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fermata {

struct StoreFigures {
  int schema_version = 0;
  int64_t live = 0;
  int64_t finished = 0;
  int64_t finished_bytes = 0;  // of their records
  uint64_t file_bytes = 0;
  uint64_t free_bytes = 0;  // of these, what compact would give back
  uint64_t log_bytes = 0;
  bool in_use = false;  // a server owns the directory
};
absl::StatusOr<StoreFigures> store_figures(const std::string& directory);

struct StoreReport {
  static constexpr size_t kProblemsMax = 100;

  StoreFigures figures;
  int64_t records = 0;                // that were read and are sound
  int64_t problem_count = 0;          // all of them
  std::vector<std::string> problems;  // the first ones, each naming what is affected
};
// Reads everything: the file's own structure, each record's checksum and content, and whether the
// counts are those of what is there. An error: it could not even be read.
absl::StatusOr<StoreReport> verify_store(const std::string& directory);

// A copy of one moment into a directory that has no store. Backup and restore are both this.
// FAILED_PRECONDITION: `to` has a store, or somebody owns it.
absl::Status copy_store(const std::string& from, const std::string& to);

// Rewrites the file without its gaps. FAILED_PRECONDITION while a server owns the directory.
absl::Status compact_store(const std::string& directory);

}  // namespace fermata

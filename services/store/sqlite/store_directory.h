// StoreDirectory: the folder a store lives in, and the claim to be its only owner.
//
//   DIR/jobs.db, jobs.db-wal, jobs.db-shm   SQLite's
//   DIR/owner                               locked while a server runs; says that a store was made
//
// Two servers on one directory would each run every job, so the second is refused. `owner` also
// remembers that there once was a store: a file that is gone or empty is then a loss to be told of,
// not a new beginning. The lock ends with the process, however it ends. Any thread; the claim is
// given back by the destructor.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fermata {

std::string store_file(const std::string& directory);

class StoreDirectory {
 public:
  // Makes the folder if need be (mode 0700). FAILED_PRECONDITION: another process has it.
  // DATA_LOSS: its file is gone.
  static absl::StatusOr<StoreDirectory> claim(const std::string& directory);
  // For a store that is yet to be made. FAILED_PRECONDITION too when there is one.
  static absl::StatusOr<StoreDirectory> claim_new(const std::string& directory);
  // Whether some process owns it now.
  static bool owned(const std::string& directory);
  // The store has been made: from now on its file must be there.
  absl::Status made();

  StoreDirectory(StoreDirectory&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), directory_(std::move(other.directory_)) {}
  StoreDirectory& operator=(StoreDirectory&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(directory_, other.directory_);
    return *this;
  }
  ~StoreDirectory();

 private:
  static absl::StatusOr<StoreDirectory> lock(const std::string& directory);
  StoreDirectory(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}
  int fd_ = -1;
  std::string directory_;
};

}  // namespace fermata

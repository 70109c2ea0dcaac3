#include "services/store/sqlite/store_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "services/config/str_cat.h"

namespace fermata {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr char kMade[] = "fermata store\n";

absl::Status failed(const std::string& what) {
  return absl::FailedPreconditionError(str_cat(what, ": ", std::strerror(errno)));
}

// Each folder of the path that is not there yet.
absl::Status make_folders(const std::string& directory) {
  for (size_t slash = directory.find('/', 1);; slash = directory.find('/', slash + 1)) {
    const std::string part = directory.substr(0, slash);
    if (mkdir(part.c_str(), kFolderMode) != 0 && errno != EEXIST) {
      return failed(str_cat("store.directory: cannot make ", part));
    }
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

bool has_file(const std::string& directory) {
  struct stat file = {};
  return stat(store_file(directory).c_str(), &file) == 0 && file.st_size > 0;
}

std::string content_of(int fd) {
  std::array<char, 64> text = {};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  return size <= 0 ? std::string() : std::string(text.data(), static_cast<size_t>(size));
}

// So that the names of new files survive a power loss too.
bool sync_folder(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

}  // namespace

std::string store_file(const std::string& directory) { return directory + "/jobs.db"; }

absl::StatusOr<StoreDirectory> StoreDirectory::lock(const std::string& directory) {
  absl::Status status = make_folders(directory);
  if (!status.ok()) return status;
  const std::string owner = directory + "/owner";
  const int fd = open(owner.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
  if (fd < 0) return failed(str_cat("store.directory: cannot open ", owner));
  StoreDirectory claimed(fd, directory);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed(str_cat("store.directory: cannot lock ", owner));
    return absl::FailedPreconditionError(
        str_cat("store.directory: another process owns ", directory,
                "; stop it first, or give this server a directory of its own"));
  }
  return claimed;
}

absl::StatusOr<StoreDirectory> StoreDirectory::claim(const std::string& directory) {
  absl::StatusOr<StoreDirectory> claimed = lock(directory);
  if (!claimed.ok()) return claimed;
  if (!has_file(directory) && content_of(claimed->fd_) == kMade) {
    return absl::DataLossError(
        str_cat("the store's file ", store_file(directory),
                " is gone or empty, and there was one; put it back or run `fermata store restore`, "
                "or, to begin with no jobs at all, delete ",
                directory, "/owner"));
  }
  return claimed;
}

absl::StatusOr<StoreDirectory> StoreDirectory::claim_new(const std::string& directory) {
  absl::StatusOr<StoreDirectory> claimed = lock(directory);
  if (claimed.ok() && has_file(directory)) {
    return absl::FailedPreconditionError(
        str_cat("expected a directory without a store, and there is ", store_file(directory),
                "; move it away first"));
  }
  return claimed;
}

bool StoreDirectory::owned(const std::string& directory) {
  const int fd = open((directory + "/owner").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool taken = flock(fd, LOCK_SH | LOCK_NB) != 0;
  close(fd);
  return taken;
}

absl::Status StoreDirectory::made() {
  if (content_of(fd_) == kMade) return absl::OkStatus();
  const auto size = static_cast<ssize_t>(sizeof kMade - 1);
  if (pwrite(fd_, kMade, sizeof kMade - 1, 0) != size || fsync(fd_) != 0 ||
      !sync_folder(directory_)) {
    return failed("store.directory: cannot write the owner file");
  }
  return absl::OkStatus();
}

StoreDirectory::~StoreDirectory() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace fermata

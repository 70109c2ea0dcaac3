#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugins/file/file_stages.h"
#include "services/config/json.h"

namespace fermata::file {
namespace {

constexpr std::size_t kChunkBytes = 1 << 20;
constexpr mode_t kModeNew = 0644;
constexpr int kNamesMax = 1000;

absl::Status write_all(int fd, const WriteOptions& options, Stop stop) {
  std::string_view rest = options.content;
  while (!rest.empty()) {
    if (stop()) return absl::CancelledError("stopped while writing the file");
    const ssize_t put = ::write(fd, rest.data(), std::min(rest.size(), kChunkBytes));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_status("write", options.path, errno);
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  if (options.sync && ::fsync(fd) != 0) return errno_status("sync", options.path, errno);
  return absl::OkStatus();
}

// A file beside the target that takes its place at the end, and goes away if that is never reached.
class Draft {
 public:
  Draft(int folder, std::string name, Fd fd)
      : folder_(folder), name_(std::move(name)), fd_(std::move(fd)) {}
  Draft(Draft&& other) noexcept
      : folder_(other.folder_), name_(std::exchange(other.name_, "")), fd_(std::move(other.fd_)) {}
  ~Draft() {
    if (!name_.empty()) ::unlinkat(folder_, name_.c_str(), 0);
  }

  static absl::StatusOr<Draft> make(int folder, const std::string& path) {
    for (int i = 0; i < kNamesMax; ++i) {
      std::string name = absl::StrCat(".fermata-", ::getpid(), "-", i, ".tmp");
      Fd fd(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     kModeNew));
      if (fd.valid()) return Draft(folder, std::move(name), std::move(fd));
      if (errno != EEXIST) return errno_status("write", path, errno);
    }
    return absl::ResourceExhaustedError(absl::StrCat(
        "write '", path, "': ", kNamesMax, " unfinished .fermata-*.tmp files are in its folder"));
  }

  int fd() const { return fd_.get(); }

  absl::Status become(const std::string& name, bool replace, const std::string& path) {
    const unsigned flags = replace ? 0 : RENAME_NOREPLACE;
    if (::renameat2(folder_, name_.c_str(), folder_, name.c_str(), flags) != 0) {
      return errno_status("write", path, errno);
    }
    name_.clear();
    return absl::OkStatus();
  }

 private:
  int folder_;
  std::string name_;  // empty once it has become the target
  Fd fd_;
};

absl::StatusOr<Fd> open_folder(const Root& root, const WriteOptions& options,
                               const std::string& folder) {
  if (options.make_folders) {
    const absl::StatusOr<Fd> made = root.make_folders(folder);
    if (!made.ok()) return made.status();
  }
  // Not O_PATH: the folder is synced in the end.
  return root.open_beneath(folder, O_RDONLY | O_DIRECTORY);
}

absl::Status write_whole(const Root& root, const WriteOptions& options, Stop stop) {
  const SplitPath split = split_path(options.path);
  const absl::StatusOr<Fd> folder = open_folder(root, options, split.folder);
  if (!folder.ok()) return folder.status();
  absl::StatusOr<Draft> draft = Draft::make(folder->get(), options.path);
  if (!draft.ok()) return draft.status();
  const absl::Status written = write_all(draft->fd(), options, stop);
  if (!written.ok()) return written;

  const bool replace = options.mode == WriteMode::kReplace;
  struct stat old = {};
  if (replace && ::fstatat(folder->get(), split.name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISREG(old.st_mode) && ::fchmod(draft->fd(), old.st_mode & 07777) != 0) {
    return errno_status("set the mode of", options.path, errno);
  }
  const absl::Status renamed = draft->become(split.name, replace, options.path);
  if (!renamed.ok()) return renamed;
  if (options.sync && ::fsync(folder->get()) != 0) {
    return errno_status("sync the folder of", options.path, errno);
  }
  return absl::OkStatus();
}

absl::Status append(const Root& root, const WriteOptions& options, Stop stop) {
  if (options.make_folders) {
    const absl::StatusOr<Fd> made = root.make_folders(split_path(options.path).folder);
    if (!made.ok()) return made.status();
  }
  const absl::StatusOr<Fd> fd =
      root.open_beneath(options.path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, kModeNew);
  if (!fd.ok()) return fd.status();
  struct stat info = {};
  if (::fstat(fd->get(), &info) != 0) return errno_status("stat", options.path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("write '", options.path, "': not a regular file"));
  }
  return write_all(fd->get(), options, stop);
}

}  // namespace

absl::StatusOr<std::string> write(const Root& root, const WriteOptions& options, Stop stop) {
  const absl::Status status = options.mode == WriteMode::kAppend ? append(root, options, stop)
                                                                 : write_whole(root, options, stop);
  if (!status.ok()) return status;
  return absl::StrCat("{\"path\":", json_quote(options.path), ",\"bytes\":", options.content.size(),
                      "}");
}

}  // namespace fermata::file

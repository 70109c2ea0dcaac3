#include "services/config/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "services/config/bytes.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

struct File {
  explicit File(int fd) : fd(fd) {}
  File(const File&) = delete;
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  const int fd;
};

absl::Status check_mode(const std::string& path, mode_t mode, FilePrivacy privacy) {
  if (privacy == FilePrivacy::kAny) return absl::OkStatus();
  const mode_t forbidden = privacy == FilePrivacy::kSecret ? S_IWGRP | S_IRWXO : S_IWGRP | S_IWOTH;
  if ((mode & forbidden) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(
      str_cat(path, ": expected a file that ",
              privacy == FilePrivacy::kSecret ? "others cannot read and only its owner can write"
                                              : "only its owner can write",
              ", got mode 0", (mode >> 6) & 7, (mode >> 3) & 7, mode & 7,
              privacy == FilePrivacy::kSecret ? "; chmod 0400 or 0440 it" : "; chmod 0644 it"));
}

absl::Status too_long(const std::string& path, size_t limit) {
  return absl::InvalidArgumentError(
      str_cat(path, ": expected at most ", format_bytes(limit), ", got more"));
}

}  // namespace

absl::StatusOr<std::string> read_private_file(const std::string& path, FilePrivacy privacy,
                                              size_t limit) {
  // Not blocking: a FIFO would hold us up before fstat() could tell what it is.
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) {
    const std::string text =
        str_cat(path, ": expected a file that can be read, got: ", std::strerror(errno));
    if (errno == EACCES) return absl::PermissionDeniedError(text);
    return absl::NotFoundError(text);
  }
  struct stat found = {};
  if (::fstat(file.fd, &found) != 0 || !S_ISREG(found.st_mode)) {
    return absl::InvalidArgumentError(str_cat(path, ": expected a file, got something else"));
  }
  absl::Status mode = check_mode(path, found.st_mode, privacy);
  if (!mode.ok()) return mode;
  if (static_cast<uint64_t>(found.st_size) > limit) return too_long(path, limit);
  std::string text(static_cast<size_t>(found.st_size) + 1, '\0');
  size_t size = 0;
  while (size <= limit) {
    if (size == text.size()) text.resize(std::min(2 * size, limit + 1));  // it grows
    const ssize_t got = ::read(file.fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::UnavailableError(
          str_cat(path, ": expected a file that can be read, got: ", std::strerror(errno)));
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > limit) return too_long(path, limit);
  text.resize(size);
  return text;
}

}  // namespace fermata

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "plugins/file/file_stages.h"
#include "services/config/json.h"
#include "services/config/utf8.h"

namespace fermata::file {
namespace {

constexpr std::size_t kChunkBytes = 256 << 10;

absl::Status too_large(const ReadOptions& options) {
  return absl::OutOfRangeError(absl::StrCat("read '", options.path, "': larger than ",
                                            options.bytes_max, " bytes (max_bytes)"));
}

absl::StatusOr<std::string> read_all(int fd, const ReadOptions& options, Stop stop) {
  std::string bytes;
  for (;;) {
    if (stop()) return absl::CancelledError("stopped while reading the file");
    // One byte more than allowed tells a file of exactly max_bytes from a longer one.
    const std::size_t room = options.bytes_max + 1 - bytes.size();
    const std::size_t start = bytes.size();
    bytes.resize(start + std::min(room, kChunkBytes));
    ssize_t got = 0;
    do {
      got = ::read(fd, bytes.data() + start, bytes.size() - start);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errno_status("read", options.path, errno);
    bytes.resize(start + static_cast<std::size_t>(got));
    if (bytes.size() > options.bytes_max) return too_large(options);
    if (got == 0) return bytes;
  }
}

}  // namespace

absl::StatusOr<std::string> read(const Root& root, const ReadOptions& options, Stop stop) {
  // O_NONBLOCK: opening a FIFO that nobody writes to must not hold a thread for ever.
  const absl::StatusOr<Fd> fd = root.open_beneath(options.path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return fd.status();
  struct stat info = {};
  if (::fstat(fd->get(), &info) != 0) return errno_status("stat", options.path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("read '", options.path, "': not a regular file"));
  }
  if (static_cast<std::uint64_t>(info.st_size) > options.bytes_max) return too_large(options);
  const absl::StatusOr<std::string> bytes = read_all(fd->get(), options, stop);
  if (!bytes.ok()) return bytes.status();

  std::string out = absl::StrCat("{\"path\":", json_quote(options.path),
                                 ",\"bytes\":", bytes->size(), ",\"encoding\":");
  if (options.base64) {
    absl::StrAppend(&out, "\"base64\",\"content\":\"", absl::Base64Escape(*bytes), "\"}");
    return out;
  }
  const std::size_t valid = utf8_valid_prefix(*bytes);
  if (valid != bytes->size()) {
    return absl::InvalidArgumentError(absl::StrCat("read '", options.path, "': not UTF-8 at byte ",
                                                   valid, "; read it with encoding: base64"));
  }
  out += "\"text\",\"content\":\"";
  append_json_escaped(*bytes, &out);
  out += "\"}";
  return out;
}

}  // namespace fermata::file

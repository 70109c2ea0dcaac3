#include "plugins/file/root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace fermata::file {
namespace {

// A rename somewhere in the path while the kernel walks it makes it give up with EAGAIN.
constexpr int kAttemptsMax = 32;

int openat2(int folder, const char* path, int flags, mode_t mode) {
  open_how how = {};
  // openat2 is strict: with O_PATH nothing else may be asked for.
  how.flags = static_cast<__u64>(flags | O_CLOEXEC | ((flags & O_PATH) != 0 ? 0 : O_NOCTTY));
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  int got = -1;
  for (int i = 0; i < kAttemptsMax; ++i) {
    got = static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how));
    if (got >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return got;
}

absl::StatusCode code_of(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
    case EXDEV:
    case ELOOP:
      return absl::StatusCode::kPermissionDenied;
    case ENAMETOOLONG:
    case EINVAL:
      return absl::StatusCode::kInvalidArgument;
    case EISDIR:
    case ENOTDIR:
    case ENXIO:
    case ETXTBSY:
      return absl::StatusCode::kFailedPrecondition;
    case ENOSYS:
      return absl::StatusCode::kUnimplemented;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

const char* advice(int error) {
  switch (error) {
    case EXDEV:
      return " (the path leaves the configured root)";
    case ELOOP:
      return " (a link that leads outside the configured root, or in a circle)";
    case ENOSYS:
      return " (this stage needs openat2: Linux 5.6 or newer, not filtered by a sandbox)";
    default:
      return "";
  }
}

}  // namespace

absl::Status errno_status(std::string_view what, std::string_view path, int error) {
  // strerror is not safe from two threads; this is.
  char buffer[128];
  return absl::Status(code_of(error),
                      absl::StrCat(std::string(what), " '", std::string(path),
                                   "': ", strerror_r(error, buffer, sizeof buffer), advice(error)));
}

absl::Status check_path(std::string_view path) {
  const auto wrong = [&](const char* why) {
    return absl::InvalidArgumentError(
        absl::StrCat("path '", std::string(path), "': ", why,
                     "; expected a file below the root, as in a/b.txt"));
  };
  if (path.empty()) return wrong("it is empty");
  if (path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("path: it has a NUL character inside");
  }
  if (path.front() == '/') return wrong("it is absolute");
  if (path.back() == '/') return wrong("it ends in a slash");
  const std::string_view last = path.substr(path.rfind('/') + 1);
  if (last == "." || last == "..") return wrong("it names a folder");
  return absl::OkStatus();
}

SplitPath split_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return SplitPath{".", path};
  return SplitPath{path.substr(0, slash), path.substr(slash + 1)};
}

absl::StatusOr<Root> Root::open(const std::string& folder) {
  Fd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_status("open root", folder, errno);
  return Root(std::move(fd));
}

absl::StatusOr<Fd> Root::open_beneath(const std::string& path, int flags, mode_t mode) const {
  Fd fd(openat2(fd_.get(), path.c_str(), flags, mode));
  if (!fd.valid()) return errno_status("open", path, errno);
  return fd;
}

absl::StatusOr<Fd> Root::make_folders(const std::string& path) const {
  absl::StatusOr<Fd> folder = open_beneath(path, O_PATH | O_DIRECTORY);
  if (folder.ok() || !absl::IsNotFound(folder.status())) return folder;
  const SplitPath split = split_path(path);
  if (split.name == ".." || split.name == "." || split.name.empty()) return folder;
  const absl::StatusOr<Fd> parent =
      split.folder == "." ? open_beneath(".", O_PATH | O_DIRECTORY) : make_folders(split.folder);
  if (!parent.ok()) return parent.status();
  if (::mkdirat(parent->get(), split.name.c_str(), 0755) != 0 && errno != EEXIST) {
    return errno_status("make folder", path, errno);
  }
  return open_beneath(path, O_PATH | O_DIRECTORY);
}

}  // namespace fermata::file

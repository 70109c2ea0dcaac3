#include "services/stages/private_copy.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/config/sha256.h"
#include "services/stages/file_descriptor.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

std::string user_name(uid_t uid) {
  std::array<char, 4096> space;
  passwd entry;
  passwd* found = nullptr;
  (void)::getpwuid_r(uid, &entry, space.data(), space.size(), &found);
  return found != nullptr ? found->pw_name : absl::StrCat(uid);
}

std::string group_name(gid_t gid) {
  std::array<char, 4096> space;
  group entry;
  group* found = nullptr;
  (void)::getgrgid_r(gid, &entry, space.data(), space.size(), &found);
  return found != nullptr ? found->gr_name : absl::StrCat(gid);
}

std::string mode_and_owner(const struct stat& info) {
  return absl::StrFormat("%04o %s:%s", info.st_mode & 07777, user_name(info.st_uid),
                         group_name(info.st_gid));
}

// Empty when only root and this user can change it, `forgiven` mode bits apart.
std::string who_else_writes(const struct stat& info, mode_t forgiven = 0) {
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return absl::StrCat("owned by another user (", mode_and_owner(info), ")");
  }
  if ((info.st_mode & ~forgiven & S_IWOTH) != 0)
    return absl::StrCat("world-writable (", mode_and_owner(info), ")");
  if ((info.st_mode & ~forgiven & S_IWGRP) != 0)
    return absl::StrCat("group-writable (", mode_and_owner(info), ")");
  return "";
}

constexpr char kWhoMay[] = " - plugins must be writable by root or this server's user only";

absl::Status cannot(std::string_view verb, const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot ", std::string(verb), " ", path, ": ", std::strerror(errno)));
}

absl::StatusOr<std::string> read_all(int fd, off_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = ::pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::FailedPreconditionError(std::strerror(errno));
    if (n == 0) break;  // cut while being read: the checks will say so
    got += static_cast<size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

absl::Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::FailedPreconditionError(std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status write_copy(const std::string& path, std::string_view bytes) {
  std::string temporary = path + ".XXXXXX";
  FileDescriptor out(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!out.ok()) return cannot("create", temporary);
  absl::Status written = write_all(out.get(), bytes);
  if (written.ok() && ::fchmod(out.get(), 0500) != 0) written = cannot("chmod", temporary);
  // A new inode under this name, so that a copy that is mapped already is not touched.
  if (written.ok() && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = cannot("rename", temporary);
  if (!written.ok()) (void)::unlink(temporary.c_str());
  return written;
}

}  // namespace

absl::Status prepare_private_dir(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return cannot("create", directory);
  struct stat info;
  if (::lstat(directory.c_str(), &info) != 0) return cannot("look at", directory);
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(directory, ": expected a directory"));
  }
  if (info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory, ": others can reach it (", mode_and_owner(info),
        ") - plugins are loaded from here; give it to this server's user with mode 0700"));
  }
  return absl::OkStatus();
}

std::string who_else_may_rename(const struct stat& info) {
  mode_t forgiven = info.st_gid == ::getegid() ? S_IWGRP : 0;
  if ((info.st_mode & S_ISVTX) != 0) forgiven = S_IWGRP | S_IWOTH;
  return who_else_writes(info, forgiven);
}

absl::Status check_plugin_folder(const std::string& folder) {
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(folder.c_str(), nullptr), &std::free);
  if (real == nullptr) return cannot("open the plugin folder", folder);
  std::string path = real.get();
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return cannot("look at", path);
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(folder, ": expected a directory of plugins"));
  }
  if (std::string who = who_else_writes(info); !who.empty()) {
    return refusal(130, path, absl::StrCat(who, kWhoMay));
  }
  while (path.size() > 1) {
    path.resize(std::max<size_t>(path.rfind('/'), 1));
    if (::stat(path.c_str(), &info) != 0) return cannot("look at", path);
    if (std::string who = who_else_may_rename(info); !who.empty()) {
      return refusal(130, path, absl::StrCat(who, ", and the plugin folder is below it", kWhoMay));
    }
  }
  return absl::OkStatus();
}

absl::Status check_trusted_file(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return cannot("look at", path);
  if (!S_ISREG(info.st_mode)) return refusal(130, path, "is not a regular file");
  if (std::string who = who_else_writes(info); !who.empty()) {
    return refusal(130, path, absl::StrCat(who, " - it decides which plugins are loaded"));
  }
  const size_t slash = path.rfind('/');
  return check_plugin_folder(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

absl::StatusOr<PrivateCopy> copy_plugin(const std::string& folder, const std::string& file,
                                        const std::string& private_dir) {
  FileDescriptor directory(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok()) return refusal(100, file, std::string(cannot("open", folder).message()));
  // Whatever the name is: a file of this folder itself, reached through no link.
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  FileDescriptor in(
      static_cast<int>(::syscall(SYS_openat2, directory.get(), file.c_str(), &how, sizeof how)));
  if (!in.ok() && errno == ELOOP) {
    return refusal(130, file, "is a symbolic link - copy the plugin itself into the folder");
  }
  if (!in.ok()) return refusal(100, file, absl::StrCat("cannot be opened: ", std::strerror(errno)));
  struct stat info;
  if (::fstat(in.get(), &info) != 0) return refusal(100, file, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return refusal(130, file, "is not a regular file");
  if (std::string who = who_else_writes(info); !who.empty()) {
    return refusal(130, file, absl::StrCat(who, kWhoMay));
  }
  if (info.st_nlink > 1) {
    return refusal(130, file,
                   absl::StrCat("has ", info.st_nlink,
                                " names (hard links), so it may be written by another - copy it"));
  }
  if (static_cast<uint64_t>(info.st_size) > kMaxPluginBytes) {
    return refusal(
        100, file,
        absl::StrCat("has ", info.st_size, " bytes, at most ", kMaxPluginBytes, " are read"));
  }
  absl::StatusOr<std::string> bytes = read_all(in.get(), info.st_size);
  if (!bytes.ok())
    return refusal(100, file, absl::StrCat("cannot be read: ", bytes.status().message()));
  PrivateCopy copy;
  copy.sha256 = sha256_hex(*bytes);
  copy.path = absl::StrCat(private_dir, "/", copy.sha256, ".so");
  copy.bytes = *std::move(bytes);
  copy.owner = info.st_uid;
  if (absl::Status s = write_copy(copy.path, copy.bytes); !s.ok()) {
    return refusal(100, file, absl::StrCat("cannot be copied: ", s.message()));
  }
  return copy;
}

absl::StatusOr<PrivateCopy> earlier_copy(const std::string& file, const std::string& sha256,
                                         const std::string& private_dir) {
  PrivateCopy copy;
  copy.path = absl::StrCat(private_dir, "/", sha256, ".so");
  FileDescriptor in(::open(copy.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info;
  if (!in.ok() || ::fstat(in.get(), &info) != 0) {
    return refusal(100, file, std::string(cannot("open", copy.path).message()));
  }
  absl::StatusOr<std::string> bytes = read_all(in.get(), info.st_size);
  if (!bytes.ok()) {
    return refusal(100, file, absl::StrCat("cannot be read: ", bytes.status().message()));
  }
  copy.bytes = *std::move(bytes);
  copy.sha256 = sha256_hex(copy.bytes);
  copy.owner = info.st_uid;
  if (copy.sha256 != sha256) {
    return refusal(100, file,
                   absl::StrCat("the copy of ", sha256.substr(0, 8), " holds ",
                                copy.sha256.substr(0, 8), " by now"));
  }
  return copy;
}

absl::Status copy_again(const std::string& path, const std::string& fresh_path) {
  FileDescriptor in(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info;
  if (!in.ok() || ::fstat(in.get(), &info) != 0) return cannot("open", path);
  absl::StatusOr<std::string> bytes = read_all(in.get(), info.st_size);
  if (!bytes.ok()) return bytes.status();
  return write_copy(fresh_path, *bytes);
}

}  // namespace fermata

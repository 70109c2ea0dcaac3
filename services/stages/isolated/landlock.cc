#include "services/stages/isolated/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/stages/file_descriptor.h"

namespace fermata {
namespace {

// Newer than the headers of Debian 12.
struct RulesetAttr {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
};
struct NetPortAttr {
  uint64_t allowed_access;
  uint64_t port;
};
constexpr unsigned kRuleNetPort = 2;
constexpr uint64_t kNetBindTcp = 1;
constexpr uint64_t kNetConnectTcp = 2;
constexpr int kAbiWithNet = 4;

constexpr uint64_t kRead =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kAll = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // ABI 1
constexpr uint64_t kWriteFile = kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE;

// What any program reads: libraries, time zones, names, certificates.
constexpr const char* kSystem[] = {
    "/lib",          "/lib64",           "/usr/lib",         "/usr/lib64",    "/usr/share",
    "/etc/ssl",      "/etc/ld.so.cache", "/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf",
    "/etc/gai.conf", "/etc/localtime",   "/etc/host.conf",   "/etc/services", "/dev/urandom"};

absl::Status failed(const std::string& what) {
  const absl::StatusCode code =
      errno == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kInternal;
  return absl::Status(code, absl::StrCat("Landlock: ", what, ": ", std::strerror(errno)));
}

absl::Status allow_path(int ruleset, const std::string& path, bool write, bool optional) {
  const FileDescriptor fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.ok()) return optional ? absl::OkStatus() : failed(path);
  struct stat found = {};
  if (::fstat(fd.get(), &found) != 0) return failed(path);
  const bool directory = S_ISDIR(found.st_mode);
  landlock_path_beneath_attr rule = {};
  rule.parent_fd = fd.get();
  rule.allowed_access = write ? (directory ? kAll : kWriteFile) : (directory ? kRead : kReadFile);
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return failed(path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status apply_landlock(const Confinement& confinement, const std::string& library) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < (confinement.limit_connect ? kAbiWithNet : 1)) {
    return absl::UnimplementedError(absl::StrCat(
        "limiting ", confinement.limit_connect ? "ports" : "files", " needs Landlock ABI ",
        confinement.limit_connect ? kAbiWithNet : 1, ", this kernel offers ", abi < 0 ? 0 : abi,
        " - leave read, write and connect out of plugins.isolation"));
  }
  RulesetAttr attr = {};
  if (confinement.limit_files) attr.handled_access_fs = kAll;
  if (confinement.limit_connect) attr.handled_access_net = kNetBindTcp | kNetConnectTcp;
  const size_t size = abi >= kAbiWithNet ? sizeof attr : sizeof attr.handled_access_fs;
  const FileDescriptor ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, size, 0)));
  if (!ruleset.ok()) return failed("a ruleset");
  if (confinement.limit_files) {
    for (const char* path : kSystem) {
      if (absl::Status s = allow_path(ruleset.get(), path, false, true); !s.ok()) return s;
    }
    if (absl::Status s = allow_path(ruleset.get(), "/dev/null", true, false); !s.ok()) return s;
    if (absl::Status s = allow_path(ruleset.get(), library, false, false); !s.ok()) return s;
    for (const std::string& path : confinement.read) {
      if (absl::Status s = allow_path(ruleset.get(), path, false, false); !s.ok()) return s;
    }
    for (const std::string& path : confinement.write) {
      if (absl::Status s = allow_path(ruleset.get(), path, true, false); !s.ok()) return s;
    }
  }
  for (uint16_t port : confinement.connect) {
    const NetPortAttr rule = {kNetConnectTcp, port};
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), kRuleNetPort, &rule, 0) != 0) {
      return failed(absl::StrCat("port ", port));
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return failed("applying it");
  return absl::OkStatus();
}

}  // namespace fermata

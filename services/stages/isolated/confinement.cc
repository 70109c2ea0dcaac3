#include "services/stages/isolated/confinement.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/stages/isolated/landlock.h"
#include "services/stages/isolated/syscall_filter.h"

namespace fermata {
namespace {

absl::Status failed(const char* what) {
  return absl::InternalError(
      absl::StrCat("confining the plugin's process: ", what, ": ", std::strerror(errno)));
}

// Lowers both limits; one that is lower already stays.
bool limit(int resource, uint64_t value) {
  rlimit now = {};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &now) != 0) return false;
  if (now.rlim_max <= value) return true;
  const rlimit lower = {value, value};
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &lower) == 0;
}

}  // namespace

std::vector<std::string> arguments_of(const Confinement& confinement) {
  const Confinement standard;
  std::vector<std::string> out;
  const auto number = [&out](const char* name, uint64_t value, uint64_t usual) {
    if (value != usual) out.push_back(absl::StrCat("--", name, "=", value));
  };
  number("memory", confinement.memory_bytes, standard.memory_bytes);
  number("cpu", confinement.cpu_seconds, standard.cpu_seconds);
  number("descriptors", confinement.descriptors, standard.descriptors);
  number("file-bytes", confinement.file_bytes, standard.file_bytes);
  if (confinement.deny_syscalls) out.push_back("--deny-syscalls");
  if (confinement.limit_files) out.push_back("--limit-files");
  if (confinement.limit_connect) out.push_back("--limit-connect");
  for (const std::string& path : confinement.read) out.push_back(absl::StrCat("--read=", path));
  for (const std::string& path : confinement.write) out.push_back(absl::StrCat("--write=", path));
  for (uint16_t port : confinement.connect) out.push_back(absl::StrCat("--connect=", port));
  return out;
}

std::vector<std::string> environment_of(const Confinement& confinement) {
  std::vector<std::string> out = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
  std::vector<std::string> names = {"TZ", "TMPDIR"};
  names.insert(names.end(), confinement.environment.begin(), confinement.environment.end());
  for (const std::string& name : names) {
    if (const char* value = std::getenv(name.c_str()); value != nullptr) {
      out.push_back(absl::StrCat(name, "=", value));
    }
  }
  return out;
}

absl::Status confine_this_process(const Confinement& confinement, const std::string& library) {
  const pid_t parent = ::getppid();
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failed("PR_SET_PDEATHSIG");
  // It may have ended before the kernel knew that it matters.
  if (::getppid() != parent) ::_exit(0);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("PR_SET_NO_NEW_PRIVS");
  if (!limit(RLIMIT_CORE, 0)) return failed("RLIMIT_CORE");
  if (!limit(RLIMIT_NOFILE, confinement.descriptors)) return failed("RLIMIT_NOFILE");
  if (!limit(RLIMIT_FSIZE, confinement.file_bytes)) return failed("RLIMIT_FSIZE");
  if (confinement.memory_bytes != 0 && !limit(RLIMIT_DATA, confinement.memory_bytes)) {
    return failed("RLIMIT_DATA");
  }
  if (confinement.cpu_seconds != 0 && !limit(RLIMIT_CPU, confinement.cpu_seconds)) {
    return failed("RLIMIT_CPU");
  }
  ::umask(077);
  if (::chdir("/") != 0) return failed("chdir /");
  if (confinement.limit_files || confinement.limit_connect) {
    if (absl::Status s = apply_landlock(confinement, library); !s.ok()) return s;
  }
  if (confinement.deny_syscalls) return deny_dangerous_syscalls();
  return absl::OkStatus();
}

}  // namespace fermata

// Confinement: what a plugin's own process may do. Written as arguments by the server, read and
// applied by fermata-plugin-host before any code of the plugin is loaded; so `ps` shows it.
//
// Always: no new privileges, no core, limits on descriptors and on the size of files, its end when
// the server ends, "/" as its directory, umask 077, an environment of four names. The rest is
// asked for per plugin in fermata.yaml (plugins.isolation).
#ifndef SERVICES_STAGES_ISOLATED_CONFINEMENT_H_
#define SERVICES_STAGES_ISOLATED_CONFINEMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fermata {

struct Confinement {
  uint64_t memory_bytes = 0;    // its own, private memory (RLIMIT_DATA); 0: no limit
  uint64_t cpu_seconds = 0;     // of all its threads, from start to end (RLIMIT_CPU); 0: no limit
  uint64_t descriptors = 1024;  // RLIMIT_NOFILE
  uint64_t file_bytes = uint64_t{8} << 30;  // of one file it writes (RLIMIT_FSIZE)
  bool deny_syscalls = false;               // EPERM for those that only an attacker needs (seccomp)
  bool limit_files = false;  // only below `read` and `write`, and the system's libraries (Landlock)
  bool limit_connect = false;  // TCP only to the ports of `connect` (Landlock)
  std::vector<std::string> read;
  std::vector<std::string> write;  // and read
  std::vector<uint16_t> connect;
  std::vector<std::string> environment;  // names of the server's variables that it gets too
};

// "--memory=...", one per field that differs from the default; not `environment`, which is the
// spawner's business.
std::vector<std::string> arguments_of(const Confinement& confinement);

// The environment for it: PATH, LANG, TZ and TMPDIR, and what was asked for.
std::vector<std::string> environment_of(const Confinement& confinement);

// In the process itself, on its first thread, before there is another. `library`: stays readable.
// Unimplemented: the kernel lacks what was asked for, which is not ignored.
absl::Status confine_this_process(const Confinement& confinement, const std::string& library);

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_CONFINEMENT_H_

// The process_* families that every Prometheus client library exports, under their usual names, so
// that stock dashboards and alerts work. prometheus-cpp does not bring them.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "services/fermatad/metric_sources.h"

namespace fermata {
namespace {

double open_descriptors() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = -3;  // ".", ".." and the folder itself
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  double pages_all = 0;
  double pages_resident = 0;
  in >> pages_all >> pages_resident;
  return pages_resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void add_process_metrics(Families& out) {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  out.counter("process_cpu_seconds_total", "User and system CPU time.", {},
              seconds(used.ru_utime) + seconds(used.ru_stime));
  out.gauge("process_resident_memory_bytes", "Resident memory.", {}, resident_bytes());
  out.gauge("process_open_fds", "Open descriptors.", {}, open_descriptors());
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    out.gauge("process_max_fds", "Descriptors it may open.", {},
              static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace fermata

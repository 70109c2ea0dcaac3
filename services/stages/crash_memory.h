// CrashMemory: which plugin the server died in, written by the dying process and read by the next.
//
//   <folder>/last-crash       written by the signal handler: where it was, the job, the signal
//   <folder>/blamed-plugins   ids, one a line: run in a process of their own from then on, under
//                             placement: auto. Deleting a line forgives.
//
// Opened once at start, before any plugin is loaded; the file stays open, since a handler cannot
// open one. Any thread.
#ifndef SERVICES_STAGES_CRASH_MEMORY_H_
#define SERVICES_STAGES_CRASH_MEMORY_H_

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace fermata {

struct CrashRecord {
  std::string plugin_id;
  std::string version;
  std::string stage;
  std::string job;  // empty: outside of a job
  std::string signal;

  // "SIGSEGV in plugin org.example.fetch 1.2.0, stage thumbnail, jobs/01J..."
  std::string to_string() const;
  // What the handler wrote; nothing when it makes no sense.
  static std::optional<CrashRecord> parse(std::string_view text);
};

class CrashMemory {
 public:
  static constexpr size_t kBlamedMax = 1000;

  // Makes the folder if it is not there (0700). What the last process left is taken into the list
  // of the blamed, and the file emptied. From now on fatal signals of this process are noted; once
  // per process.
  static absl::StatusOr<CrashMemory> open(const std::string& folder);

  // How the process before this one died, if it was in a plugin.
  const std::optional<CrashRecord>& last() const { return last_; }
  const std::set<std::string>& blamed() const { return blamed_; }

 private:
  std::optional<CrashRecord> last_;
  std::set<std::string> blamed_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_CRASH_MEMORY_H_

// CrashMemory: which plugin the server died in, written by the dying process and read by the next.
//
//   <folder>/last-crash       written by the dying process: where it was, the job, what it died of;
//                             also when a stage called exit(), or held the loop for too long
//   <folder>/in-plugin        where it is now (witness_file.h): all that a SIGKILL leaves
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
#include "absl/time/time.h"
#include "services/stages/current_call.h"

namespace fermata {

struct CrashRecord {
  std::string plugin_id;
  std::string version;
  std::string stage;
  std::string job;     // empty: outside of a job
  std::string signal;  // or "exit(3)", "hang"

  // "died of SIGSEGV in plugin org.example.fetch 1.2.0, stage thumbnail, jobs/01J..."
  std::string to_string() const;
  // The last of what was written; nothing when it makes no sense.
  static std::optional<CrashRecord> parse(std::string_view text);
};

class CrashMemory {
 public:
  static constexpr size_t kBlamedMax = 1000;

  // Makes the folder if it is not there (0700). What the last process left is taken into the list
  // of the blamed, and the file emptied. From now on fatal signals of this process are noted; once
  // per process.
  static absl::StatusOr<CrashMemory> open(const std::string& folder);

  // The list of the blamed alone; changes nothing, so another process may be at work there.
  static CrashMemory peek(const std::string& folder);

  // How the process before this one died, if it was in a plugin.
  const std::optional<CrashRecord>& last() const { return last_; }
  // Where it was when it ended without that: "org.example.fetch 1.2.0 thumbnail", or empty. It was
  // killed, by the kernel or by hand.
  const std::string& killed_in() const { return killed_in_; }
  const std::set<std::string>& blamed() const { return blamed_; }

  // How long a stage may hold the loop before that is noted as its hang.
  static constexpr absl::Duration kHang = absl::Seconds(5);
  // The loop has not come back for that long, and `loop` is its thread's. Notes it as last() of the
  // next process, if it is in a plugin and plugins.state is set, and gives a line for the log; any
  // thread.
  static std::string note_hang(const CurrentCall& loop);

 private:
  std::optional<CrashRecord> last_;
  std::string killed_in_;
  std::set<std::string> blamed_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_CRASH_MEMORY_H_

// WitnessFile: which plugin code the server is in, in a file that outlives it however it ends.
//
// A signal handler notes most deaths (crash_memory.h). SIGKILL has none: out of memory, or by hand.
// So the slots of CurrentCall and the names they point to lie in a mapped file; the kernel keeps
// what was written last. What it says after a SIGKILL is where the server was, not why it died: a
// hint for people. One file per running server; nothing in it is trusted by the next one.
#ifndef SERVICES_STAGES_WITNESS_FILE_H_
#define SERVICES_STAGES_WITNESS_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace fermata {

// Gives where the process before this one was when it ended, as CurrentCall::where; empty: outside
// of plugins, or nothing is known. From now on this process's CurrentCalls are in the file, that of
// the calling thread first. Once per process, on the loop's thread, before any plugin code runs.
absl::StatusOr<std::string> open_witness_file(const std::string& path);

}  // namespace fermata

#endif  // SERVICES_STAGES_WITNESS_FILE_H_

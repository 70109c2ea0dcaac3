#include "services/stages/crash_memory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/stages/absl_view.h"
#include "services/stages/current_call.h"
#include "services/stages/fatal_signals.h"
#include "services/stages/plugin_note.h"

namespace fermata {
namespace {

constexpr size_t kRecordMax = 4096;

int crash_file = -1;

void put(const char* text) noexcept {
  const size_t size = std::strlen(text);
  // A full disk loses the record; there is nobody left to be told.
  [[maybe_unused]] const ssize_t kept = ::write(crash_file, text, size);
  [[maybe_unused]] const ssize_t shown = ::write(STDERR_FILENO, text, size);
}

// In a signal handler.
void note_crash(int signal, void*) noexcept {
  const CurrentCall& here = CurrentCall::here();
  const char* const where = here.where.load(std::memory_order_relaxed);
  if (where == nullptr) return;  // the server's own fault
  const char* const job = here.job.load(std::memory_order_relaxed);
  put(where);
  put("\n");
  put(job != nullptr ? job : "");
  put("\n");
  put(signal_name(signal));
  put("\n");
}

absl::Status failed(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("plugins.state: ", path, ": ", std::strerror(errno)));
}

}  // namespace

std::string CrashRecord::to_string() const {
  return absl::StrCat(signal, " in plugin ", plugin_id, " ", version, ", stage ", stage,
                      job.empty() ? "" : ", jobs/", job);
}

std::optional<CrashRecord> CrashRecord::parse(std::string_view text) {
  const std::vector<std::string> lines = absl::StrSplit(absl_view(text), '\n');
  if (lines.size() != 4 || !lines[3].empty()) return std::nullopt;
  const std::vector<std::string> words = absl::StrSplit(lines[0], absl::MaxSplits(' ', 2));
  if (words.size() != 3 || !valid_plugin_id(words[0])) return std::nullopt;
  return CrashRecord{words[0], words[1], words[2], lines[1], lines[2]};
}

absl::StatusOr<CrashMemory> CrashMemory::open(const std::string& folder) {
  CrashMemory memory;
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed(folder);
  const std::string list = folder + "/blamed-plugins";
  std::string line;
  for (std::ifstream in(list); memory.blamed_.size() < kBlamedMax && std::getline(in, line);) {
    if (valid_plugin_id(line)) memory.blamed_.insert(line);
  }
  const std::string path = folder + "/last-crash";
  crash_file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (crash_file < 0) return failed(path);
  std::array<char, kRecordMax> text;
  const ssize_t got = ::read(crash_file, text.data(), text.size());
  if (got < 0) return failed(path);
  memory.last_ = CrashRecord::parse({text.data(), static_cast<size_t>(got)});
  if (memory.last_ && memory.blamed_.insert(memory.last_->plugin_id).second) {
    std::ofstream out(list, std::ios::app);
    out << memory.last_->plugin_id << "\n";
    if (!out.flush()) return failed(list);
  }
  if (::ftruncate(crash_file, 0) != 0) return failed(path);
  on_fatal_signal(&note_crash);
  return memory;
}

}  // namespace fermata

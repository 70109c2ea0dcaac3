#include "services/stages/crash_memory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/stages/absl_view.h"
#include "services/stages/current_call.h"
#include "services/stages/fatal_signals.h"
#include "services/stages/plugin_note.h"
#include "services/stages/witness_file.h"

namespace fermata {
namespace {

constexpr size_t kRecordMax = 4096;  // what is read of the file
constexpr size_t kRecordLines = 3;
constexpr char kHangName[] = "hang";
constexpr char kBlamedFile[] = "/blamed-plugins";

int crash_file = -1;

void put(const char* text) noexcept {
  const size_t size = std::strlen(text);
  // A full disk loses the record; there is nobody left to be told.
  [[maybe_unused]] const ssize_t kept = ::write(crash_file, text, size);
  [[maybe_unused]] const ssize_t shown = ::write(STDERR_FILENO, text, size);
}

// In a signal handler, or as the process exits. False: it is not in a plugin.
bool note(const CurrentCall& call, const char* what) noexcept {
  const char* const where = call.where.load(std::memory_order_relaxed);
  if (where == nullptr) return false;  // the server's own fault
  const char* const job = call.job.load(std::memory_order_relaxed);
  for (const char* text : {where, "\n", job != nullptr ? job : "", "\n", what, "\n"}) put(text);
  return true;
}

void note_crash(int signal, void*) noexcept { note(CurrentCall::here(), signal_name(signal)); }

// On the thread that called exit().
void note_exit(int code, void*) {
  std::array<char, 32> what;
  std::snprintf(what.data(), what.size(), "exit(%d)", code);
  note(CurrentCall::here(), what.data());
}

absl::Status failed(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("plugins.state: ", path, ": ", std::strerror(errno)));
}

}  // namespace

std::string CrashRecord::to_string() const {
  const std::string what =
      signal == kHangName
          ? absl::StrCat("was held for ", absl::FormatDuration(CrashMemory::kHang), " or more")
          : absl::StrCat("died of ", signal);
  return absl::StrCat(what, " in plugin ", plugin_id, " ", version, ", stage ", stage,
                      job.empty() ? "" : ", jobs/", job);
}

std::optional<CrashRecord> CrashRecord::parse(std::string_view text) {
  const std::vector<std::string> lines = absl::StrSplit(absl_view(text), '\n');
  // Each line ended, and each record whole.
  if (lines.size() <= kRecordLines || lines.size() % kRecordLines != 1 || !lines.back().empty()) {
    return std::nullopt;
  }
  const size_t first = lines.size() - 1 - kRecordLines;
  const std::vector<std::string> words = absl::StrSplit(lines[first], absl::MaxSplits(' ', 2));
  if (words.size() != 3 || !valid_plugin_id(words[0])) return std::nullopt;
  return CrashRecord{words[0], words[1], words[2], lines[first + 1], lines[first + 2]};
}

CrashMemory CrashMemory::peek(const std::string& folder) {
  CrashMemory memory;
  std::string line;
  for (std::ifstream in(folder + kBlamedFile);
       memory.blamed_.size() < kBlamedMax && std::getline(in, line);) {
    if (valid_plugin_id(line)) memory.blamed_.insert(line);
  }
  return memory;
}

absl::StatusOr<CrashMemory> CrashMemory::open(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed(folder);
  CrashMemory memory = peek(folder);
  const std::string list = folder + kBlamedFile;
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
  absl::StatusOr<std::string> where = open_witness_file(folder + "/in-plugin");
  if (!where.ok()) return where.status();
  if (!memory.last_) memory.killed_in_ = *std::move(where);
  on_fatal_signal(&note_crash);
  ::on_exit(&note_exit, nullptr);
  return memory;
}

std::string CrashMemory::note_hang(const CurrentCall& loop) {
  // The loop is in there, so what it points to is, too.
  const char* const where = loop.where.load(std::memory_order_relaxed);
  if (where == nullptr) return "";
  if (crash_file >= 0) note(loop, kHangName);
  return absl::StrCat("plugin ", where, " has held the loop for ", absl::FormatDuration(kHang),
                      ": nothing else runs; stop the server twice to end it",
                      crash_file >= 0 ? ", the next start will isolate the plugin" : "");
}

}  // namespace fermata

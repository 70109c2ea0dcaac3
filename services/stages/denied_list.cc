#include "services/stages/denied_list.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/file_descriptor.h"

namespace fermata {
namespace {

constexpr size_t kHashDigits = 64;

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string_view take_word(std::string_view& line) {
  const size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

}  // namespace

absl::StatusOr<DeniedList> DeniedList::load(std::string path) {
  DeniedList list;
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return list;
  std::ifstream in(path);
  if (!in.good()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    std::string_view rest = line;
    std::string sha256(take_word(rest));
    if (!is_hash(sha256)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":", number, ": expected a sha256 (64 hex digits), got \"", sha256.substr(0, 80),
          "\" - repair the file, or delete it to allow every plugin again"));
    }
    Entry entry;
    entry.id = take_word(rest);
    entry.version = take_word(rest);
    entry.why = rest;
    list.add(std::move(sha256), std::move(entry));
  }
  return list;
}

absl::Status DeniedList::save(std::string path, DeniedList list) {
  std::string text = "# plugin files that were rolled back: sha256 id version why\n";
  for (const auto& [sha256, entry] : list.entries_) {
    absl::StrAppend(&text, sha256, " ", entry.id, " ", entry.version, " ", one_line(entry.why),
                    "\n");
  }
  const std::string temporary = path + ".tmp";
  const FileDescriptor out(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool written =
      out.ok() &&
      ::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(out.get()) == 0 && ::rename(temporary.c_str(), path.c_str()) == 0;
  if (written) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

const DeniedList::Entry* DeniedList::find(std::string_view sha256) const {
  const auto found = entries_.find(sha256);
  return found == entries_.end() ? nullptr : &found->second;
}

void DeniedList::add(std::string sha256, Entry entry) {
  entries_[std::move(sha256)] = std::move(entry);
  if (entries_.size() > kMax) entries_.erase(entries_.begin());
}

bool DeniedList::remove(std::string_view sha256) {
  const auto found = entries_.find(sha256);
  if (found == entries_.end()) return false;
  entries_.erase(found);
  return true;
}

}  // namespace fermata

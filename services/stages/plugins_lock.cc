#include "services/stages/plugins_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/config/sha256.h"
#include "services/config/yaml_reader.h"
#include "services/config/yaml_tree.h"
#include "services/stages/absl_view.h"
#include "services/stages/file_descriptor.h"
#include "services/stages/private_copy.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

constexpr size_t kHashDigits = 64;

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

absl::Status append(const std::string& path, std::string_view text) {
  const FileDescriptor out(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  // One write: a reader sees the entry as a whole or not at all.
  const bool written =
      out.ok() && ::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (written && ::fsync(out.get()) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<PluginsLock> PluginsLock::parse(std::string_view text, std::string_view file) {
  absl::StatusOr<YamlFile> yaml = parse_yaml(text, file);
  if (!yaml.ok()) return yaml.status();
  YamlErrors errors(file);
  YamlReader reader(errors, *yaml->root, "");
  YamlReader plugins = reader.child("plugins");
  PluginsLock lock;
  if (const YamlNode* node = reader.find("plugins"); node != nullptr && !node->is_null()) {
    for (const YamlMember& member : node->members) {
      YamlReader one = plugins.child(member.key);
      Entry entry;
      entry.id = one.required_text("id");
      entry.version = one.required_text("version");
      one.finish();
      if (!is_hash(member.key)) {
        errors.add(member.mark, "plugins", "a sha256 (64 hex digits)", member.key);
      }
      lock.entries_[member.key] = std::move(entry);
    }
  }
  reader.finish();
  if (!errors.ok()) return errors.status();
  return lock;
}

absl::StatusOr<PluginsLock> PluginsLock::load(const std::string& path) {
  if (absl::Status s = check_trusted_file(path); !s.ok()) return s;
  std::ifstream in(path);
  if (!in.good()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return parse(text, path);
}

absl::Status PluginsLock::check(std::string_view file, std::string_view sha256,
                                const PluginNote& note) const {
  const auto found = entries_.find(sha256);
  const std::string advice = absl::StrCat(" - fermata plugin allow ", absl_view(file));
  if (found == entries_.end()) {
    std::string other;
    for (const auto& [hash, entry] : entries_) {
      if (entry.id != note.id || entry.version != note.version) continue;
      other = absl::StrCat(" (it has ", hash.substr(0, 8), " for ", note.version, ")");
    }
    return refusal(131, file,
                   absl::StrCat("sha256 ", absl_view(sha256.substr(0, 8)),
                                " is not in plugins.lock", other, advice));
  }
  const Entry& entry = found->second;
  if (entry.id == note.id && entry.version == note.version) return absl::OkStatus();
  return refusal(
      131, file,
      absl::StrCat("plugins.lock has sha256 ", absl_view(sha256.substr(0, 8)), " as ", entry.id,
                   " ", entry.version, ", the file says ", note.id, " ", note.version, advice));
}

absl::StatusOr<std::string> allow_in_lock(const std::string& lock, const std::string& file,
                                          std::string_view bytes) {
  const LibraryFinder finder;
  const size_t slash = file.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : file.substr(0, slash);
  absl::StatusOr<PluginNote> note =
      check_plugin_bytes(base_name(file), bytes, folder, finder, HostFacts::here());
  if (!note.ok()) return note.status();
  const std::string sha256 = sha256_hex(bytes);
  const bool fresh = ::access(lock.c_str(), F_OK) != 0;
  if (!fresh) {
    absl::StatusOr<PluginsLock> before = PluginsLock::load(lock);
    if (!before.ok()) return before.status();
    if (before->check(file, sha256, *note).ok()) {
      return absl::StrCat(lock, " has ", note->id, " ", note->version, " (", sha256.substr(0, 8),
                          ") already");
    }
  }
  absl::Status written =
      append(lock, absl::StrCat(fresh ? "plugins:\n" : "", "  ", sha256, ": { id: ", note->id,
                                ", version: ", note->version, " }\n"));
  if (!written.ok()) return written;
  return absl::StrCat(lock, ": ", note->id, " ", note->version, " (", sha256.substr(0, 8),
                      ") may be loaded");
}

absl::Status check_loader_environment() {
  for (const char* name : {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    return absl::FailedPreconditionError(
        absl::StrCat("plugins.trust is lock, and ", name, " is set (", value,
                     "): it would bring code that is in no lock into the server - unset it"));
  }
  return absl::OkStatus();
}

}  // namespace fermata

// The private copy: plugins are never loaded from the folder they were found in, but from a copy of
// ours, named by the SHA-256 of its bytes.
//
// So the bytes that were checked are the bytes that get mapped; overwriting or deleting the
// original cannot reach a running server (overwriting a mapped file is SIGBUS); and a new version
// never has the path of an old one, which the dynamic loader would answer with the old code.
// Blocking I/O: not for loop threads.
#ifndef SERVICES_STAGES_PRIVATE_COPY_H_
#define SERVICES_STAGES_PRIVATE_COPY_H_

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fermata {

// A plugin with all its debug information stays far below it; a wrong file is not read into memory
// whole.
inline constexpr size_t kMaxPluginBytes = size_t{1} << 30;

struct PrivateCopy {
  std::string path;    // <private_dir>/<sha256>.so
  std::string sha256;  // 64 hex digits
  std::string bytes;   // what was hashed and written
  uint32_t owner = 0;  // uid of the file it was copied from
};

// Makes the directory, for this user only (0700). Refuses one that others could write to.
absl::Status prepare_private_dir(const std::string& directory);

// PLG-130 when the folder, or a directory above it, is writable by someone else than root and this
// user.
absl::Status check_plugin_folder(const std::string& folder);

// Of a directory above it: who else could put another one in its place; empty: nobody. With the
// sticky bit (/tmp) only its owner could, and our own group (umask 002) is trusted.
std::string who_else_may_rename(const struct stat& info);

// The same for one file outside of it that decides what is loaded: plugins.lock.
absl::Status check_trusted_file(const std::string& path);

// PLG-100: cannot be read, or is larger than kMaxPluginBytes; PLG-130: may be written by others, is
// a symbolic link, or has a second name by which it may be written.
absl::StatusOr<PrivateCopy> copy_plugin(const std::string& folder, const std::string& file,
                                        const std::string& private_dir);

// What copy_plugin() left in the private directory, read again. PLG-100: it is not there, or holds
// other bytes.
absl::StatusOr<PrivateCopy> earlier_copy(const std::string& file, const std::string& sha256,
                                         const std::string& private_dir);

// The same bytes at another path, as a file of its own: the dynamic loader knows files by their
// path and inode.
absl::Status copy_again(const std::string& path, const std::string& fresh_path);

}  // namespace fermata

#endif  // SERVICES_STAGES_PRIVATE_COPY_H_

#pragma once

// Reads files that hold secrets, or that decide who may do what: keys, tokens, passwords; and files
// that somebody else gave us.
//
// Such a file must be a regular file of bounded size: a FIFO would hold us up, a device never ends.
// Errors name the file and the reason, never its content. Blocking, for the time of a local read;
// any thread.

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace fermata {

enum class FilePrivacy {
  kSecret,   // others may not read it, nobody but the owner may write it
  kTrusted,  // anybody may read it, nobody but the owner may write it
  kAny,      // whoever may: what is in it is judged, not believed
};

inline constexpr size_t kMaxPrivateFile = size_t{1} << 20;

// NOT_FOUND, PERMISSION_DENIED (unreadable, or its mode is too wide), INVALID_ARGUMENT (no regular
// file, or larger than `limit`).
absl::StatusOr<std::string> read_private_file(const std::string& path, FilePrivacy privacy,
                                              size_t limit = kMaxPrivateFile);

}  // namespace fermata

// Root: the one directory that the stages of this plugin may touch.
//
// Paths come from jobs, so from strangers. The kernel resolves them (openat2, RESOLVE_BENEATH): no
// "..", absolute path, symbolic link or race between a check and its use leads outside. Links that
// stay inside work. Immutable after open(); any thread.
#ifndef FERMATA_PLUGINS_FILE_ROOT_H_
#define FERMATA_PLUGINS_FILE_ROOT_H_

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "plugins/file/fd.h"

namespace fermata::file {

class Root {
 public:
  static absl::StatusOr<Root> open(const std::string& folder);

  // openat2 below the root; O_CLOEXEC is added. Errors name the path and what to do.
  absl::StatusOr<Fd> open_beneath(const std::string& path, int flags, mode_t mode = 0) const;

  // Makes the folder and those above it, as far as they are missing, and opens it (O_PATH).
  absl::StatusOr<Fd> make_folders(const std::string& path) const;

 private:
  explicit Root(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// InvalidArgument for what can never name a file: empty, absolute, NUL inside, a trailing slash,
// "." or ".." at the end.
absl::Status check_path(std::string_view path);

// "a/b/c" is {"a/b", "c"}; "c" is {".", "c"}.
struct SplitPath {
  std::string folder;
  std::string name;
};
SplitPath split_path(const std::string& path);

// The error of a system call: "write 'a/b': No space left on device".
absl::Status errno_status(std::string_view what, std::string_view path, int error);

}  // namespace fermata::file

#endif  // FERMATA_PLUGINS_FILE_ROOT_H_

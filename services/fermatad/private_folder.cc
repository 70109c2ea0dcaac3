#include "services/fermatad/private_folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "services/config/str_cat.h"

namespace fermata {

absl::StatusOr<PrivateFolder> PrivateFolder::make() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) {
    return absl::FailedPreconditionError(
        str_cat("no folder for temporary files: ", error.message(), "; set TMPDIR to one"));
  }
  std::string path = (parent / "fermatad-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    return absl::FailedPreconditionError(str_cat("cannot make a folder in ", parent.string(), ": ",
                                                 strerror(errno), "; set TMPDIR to another"));
  }
  return PrivateFolder(std::move(path));
}

PrivateFolder::PrivateFolder(PrivateFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

PrivateFolder::~PrivateFolder() {
  if (path_.empty()) return;
  std::error_code ignored;  // a leftover in /tmp is not worth failing over
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace fermata

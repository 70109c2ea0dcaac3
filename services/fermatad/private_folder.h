// PrivateFolder: a fresh folder of this process alone (mode 0700), removed with all it holds when
// the object goes. Plugins are loaded from copies in it, so that nobody swaps a file under a
// running server. main() owns it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace fermata {

class PrivateFolder {
 public:
  // Below $TMPDIR, or /tmp.
  static absl::StatusOr<PrivateFolder> make();
  PrivateFolder(PrivateFolder&& other) noexcept;
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder();

  const std::string& path() const { return path_; }

 private:
  explicit PrivateFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;  // empty: moved from
};

}  // namespace fermata

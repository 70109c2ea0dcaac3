// FolderEvents: what happens in a folder. The real one is inotify on the loop; a test has its own.
#ifndef SERVICES_STAGES_FOLDER_EVENTS_H_
#define SERVICES_STAGES_FOLDER_EVENTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/co.h"
#include "services/stages/file_descriptor.h"

namespace fermata {

struct FolderEvent {
  enum class Kind : uint8_t {
    kMoved,     // came whole, by rename(2)
    kWritten,   // somebody closed it after writing: perhaps not for the last time
    kMade,      // a new name, which somebody may be about to write
    kGone,      // deleted, or moved away
    kOverflow,  // events were lost: everything may have changed
  };
  Kind kind;
  std::string name;
};

// Two stamps of a file that are equal: nobody wrote in between.
struct FileStamp {
  int64_t bytes = 0;
  int64_t mtime_ns = 0;
  bool whole = false;  // nobody will write it: a link, a FIFO, a folder, another name of a file
  bool operator==(const FileStamp&) const = default;
};

class FolderEvents {
 public:
  virtual ~FolderEvents() = default;
  // What happened since the last call, at least one thing. UNAVAILABLE: the folder itself is gone.
  //   wakes when   something happened
  //   on cancel    at once; nothing is lost
  //   on shutdown  as cancelled
  virtual Co<absl::StatusOr<std::vector<FolderEvent>>> next() = 0;
  // The names of all files that are there.
  virtual Co<absl::StatusOr<std::vector<std::string>>> files() = 0;
  // Nothing: no such file.
  virtual Co<std::optional<FileStamp>> stamp(std::string name) = 0;
};

class InotifyEvents final : public FolderEvents {
 public:
  // Counts what happens from now on.
  static absl::StatusOr<std::unique_ptr<InotifyEvents>> open(const std::string& folder);
  Co<absl::StatusOr<std::vector<FolderEvent>>> next() override;
  Co<absl::StatusOr<std::vector<std::string>>> files() override;
  Co<std::optional<FileStamp>> stamp(std::string name) override;

 private:
  InotifyEvents(std::string folder, FileDescriptor fd)
      : folder_(std::move(folder)), fd_(std::move(fd)) {}
  absl::Status read_events(std::vector<FolderEvent>& events) const;

  const std::string folder_;
  const FileDescriptor fd_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_FOLDER_EVENTS_H_

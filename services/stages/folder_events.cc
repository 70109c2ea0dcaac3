#include "services/stages/folder_events.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/async.h"

namespace fermata {
namespace {

constexpr uint32_t kMask = IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                           IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

absl::StatusOr<std::vector<std::string>> names_in(std::string folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
  if (directory == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot read the plugin folder ", folder, ": ", std::strerror(errno)));
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory.get())) names.emplace_back(entry->d_name);
  return names;
}

std::optional<FileStamp> stamp_of(std::string path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  return FileStamp{info.st_size,
                   info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec,
                   !S_ISREG(info.st_mode) || info.st_nlink > 1};
}

}  // namespace

absl::StatusOr<std::unique_ptr<InotifyEvents>> InotifyEvents::open(const std::string& folder) {
  FileDescriptor fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd.ok() || ::inotify_add_watch(fd.get(), folder.c_str(), kMask) < 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot watch the plugin folder ", folder, ": ", std::strerror(errno),
                     errno == ENOSPC || errno == EMFILE
                         ? " - raise fs.inotify.max_user_watches and max_user_instances"
                         : ""));
  }
  return std::unique_ptr<InotifyEvents>(new InotifyEvents(folder, std::move(fd)));
}

Co<absl::StatusOr<std::vector<FolderEvent>>> InotifyEvents::next() {
  std::vector<FolderEvent> events;
  while (events.empty()) {
    absl::Status ready = co_await readable(fd_.get());
    if (!ready.ok()) co_return ready;
    ready = read_events(events);
    if (!ready.ok()) co_return ready;
  }
  co_return events;
}

absl::Status InotifyEvents::read_events(std::vector<FolderEvent>& events) const {
  alignas(inotify_event) char space[16384];
  const ssize_t got = ::read(fd_.get(), space, sizeof space);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return absl::OkStatus();
  if (got < 0) return absl::UnavailableError(absl::StrCat("inotify: ", std::strerror(errno)));
  for (ssize_t at = 0; at < got;) {
    const auto& event = *reinterpret_cast<const inotify_event*>(space + at);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event.len);
    if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
      return absl::UnavailableError(absl::StrCat("the plugin folder ", folder_, " is gone"));
    }
    FolderEvent out{FolderEvent::Kind::kOverflow, event.len > 0 ? event.name : ""};
    if ((event.mask & IN_MOVED_TO) != 0) out.kind = FolderEvent::Kind::kMoved;
    if ((event.mask & IN_CREATE) != 0) out.kind = FolderEvent::Kind::kMade;
    if ((event.mask & IN_CLOSE_WRITE) != 0) out.kind = FolderEvent::Kind::kWritten;
    if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) out.kind = FolderEvent::Kind::kGone;
    events.push_back(std::move(out));
  }
  return absl::OkStatus();
}

Co<absl::StatusOr<std::vector<std::string>>> InotifyEvents::files() {
  co_return co_await offload(&names_in, folder_);
}

Co<std::optional<FileStamp>> InotifyEvents::stamp(std::string name) {
  std::string path = absl::StrCat(folder_, "/", name);
  co_return co_await offload(&stamp_of, std::move(path));
}

}  // namespace fermata

#include "services/stages/folder_watch.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/async.h"

namespace fermata {

Co<absl::Status> FolderWatch::run() {
  absl::Status status = co_await rescan();
  while (status.ok()) {
    absl::StatusOr<std::vector<FolderEvent>> events = co_await wait();
    if (!events.ok()) co_return events.status();
    status = co_await handle(*std::move(events));
    if (status.ok()) co_await look_at_unsettled();
  }
  co_return status;
}

// No events: a file may have settled.
Co<absl::StatusOr<std::vector<FolderEvent>>> FolderWatch::wait() {
  if (unsettled_.empty()) co_return co_await events_.next();
  absl::Time due = absl::InfiniteFuture();
  for (const auto& [name, file] : unsettled_) due = std::min(due, file.due);
  absl::StatusOr<std::vector<FolderEvent>> events = co_await timeout_at(due, events_.next());
  if (absl::IsDeadlineExceeded(events.status())) co_return std::vector<FolderEvent>();
  co_return events;
}

Co<absl::Status> FolderWatch::handle(std::vector<FolderEvent> events) {
  // A name that comes several times is looked at once, as it is now.
  std::set<std::string> moved;
  for (const FolderEvent& event : events) {
    if (event.kind == FolderEvent::Kind::kOverflow) co_return co_await rescan();
    if (!is_plugin_file(event.name)) continue;
    if (event.kind == FolderEvent::Kind::kWritten) {
      co_await expect_more(event.name);
      continue;
    }
    if (event.kind == FolderEvent::Kind::kMade) {
      // A file is told of again when it has been written. Of a link nothing more would come: it is
      // taken up now, so that whoever made it is told that it is refused.
      std::optional<FileStamp> stamp = co_await events_.stamp(event.name);
      if (stamp.has_value() && stamp->whole) moved.insert(event.name);
      continue;
    }
    unsettled_.erase(event.name);
    if (event.kind == FolderEvent::Kind::kMoved) {
      moved.insert(event.name);
    } else {
      moved.erase(event.name);
      host_.file_gone(event.name);
    }
  }
  for (const std::string& name : moved) {
    FileReport report = co_await host_.load_file(name, LoadReason::kDropped);
  }
  co_return absl::OkStatus();
}

Co<void> FolderWatch::expect_more(std::string name) {
  if (unsettled_.size() >= kMaxUnsettled && unsettled_.count(name) == 0) co_return;
  std::optional<FileStamp> stamp = co_await events_.stamp(name);
  if (!stamp.has_value()) co_return;
  if (unsettled_.count(name) == 0 && options_.log) {
    options_.log(
        StageLogLevel::kWarning,
        absl::StrCat(name, " is written in place: it is loaded when nothing has changed for ",
                     absl::FormatDuration(options_.settle),
                     " - prefer cp to a temporary name + mv"));
  }
  unsettled_[name] = Unsettled{*stamp, now() + options_.settle};
}

Co<void> FolderWatch::look_at_unsettled() {
  std::vector<std::string> due;
  for (const auto& [name, file] : unsettled_) {
    if (file.due <= now()) due.push_back(name);
  }
  for (const std::string& name : due) {
    std::optional<FileStamp> stamp = co_await events_.stamp(name);
    const auto found = unsettled_.find(name);
    if (found == unsettled_.end()) continue;
    if (stamp.has_value() && *stamp != found->second.stamp) {
      found->second = Unsettled{*stamp, now() + options_.settle};
      continue;
    }
    unsettled_.erase(found);
    if (!stamp.has_value()) continue;
    FileReport report = co_await host_.load_file(name, LoadReason::kDropped);
  }
}

Co<absl::Status> FolderWatch::rescan() {
  unsettled_.clear();
  absl::StatusOr<std::vector<std::string>> names = co_await events_.files();
  if (!names.ok()) co_return names.status();
  std::set<std::string> there;
  for (const std::string& name : *names) {
    if (is_plugin_file(name)) there.insert(name);
  }
  for (const std::string& name : host_.known_files()) {
    if (there.count(name) == 0) host_.file_gone(name);
  }
  for (const std::string& name : there) {
    FileReport report = co_await host_.load_file(name, LoadReason::kRescan);
  }
  co_return absl::OkStatus();
}

}  // namespace fermata

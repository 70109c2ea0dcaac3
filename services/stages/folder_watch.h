// FolderWatch: loads what is dropped into the plugin folder, while the server serves.
//
// A file that is moved into the folder is whole, and is taken at once. One that is written in place
// is taken when its size and time have not changed for `settle`, and the log says what is better.
// At the start, and when events were lost, everything is looked at. Loop thread only.
#ifndef SERVICES_STAGES_FOLDER_WATCH_H_
#define SERVICES_STAGES_FOLDER_WATCH_H_

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/stages/folder_events.h"
#include "services/stages/plugin_host.h"

namespace fermata {

class FolderWatch {
 public:
  // Files that are being written at one time; more than these wait for the next rescan.
  static constexpr size_t kMaxUnsettled = 1000;

  struct Options {
    absl::Duration settle = absl::Seconds(1);
    std::function<void(StageLogLevel, std::string)> log;
  };

  // Both outlive it.
  FolderWatch(PluginHost& host, FolderEvents& events, Options options)
      : host_(host), events_(events), options_(std::move(options)) {}

  // Until it is cancelled, or the folder is gone: UNAVAILABLE. What is loaded goes on either way.
  Co<absl::Status> run();

 private:
  struct Unsettled {
    FileStamp stamp;
    absl::Time due;
  };

  Co<absl::Status> rescan();
  Co<absl::Status> handle(std::vector<FolderEvent> events);
  Co<absl::StatusOr<std::vector<FolderEvent>>> wait();
  Co<void> look_at_unsettled();
  Co<void> expect_more(std::string name);

  PluginHost& host_;
  FolderEvents& events_;
  const Options options_;
  std::map<std::string, Unsettled> unsettled_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_FOLDER_WATCH_H_

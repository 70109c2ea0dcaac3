// PluginHost: the real Stages. Loads every plugin of a folder at start and runs their stages on one
// loop.
//
//   PluginHost host(loop, options);
//   LoadReport report = co_await host.load_all();      // on the loop; files and dlopen on a worker
//   ... co_await host.call(stage, request) ...
//   co_await host.close();                             // cancels what runs, destroys instances,
//   stops the plugins
//
// One bad plugin never keeps the others from loading: it is listed with its refusal. Loop thread
// only; closed before it is destroyed. Code is never unmapped.
#ifndef SERVICES_STAGES_PLUGIN_HOST_H_
#define SERVICES_STAGES_PLUGIN_HOST_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/stages/plugin_metrics.h"
#include "services/stages/stage_instance.h"
#include "services/stages/stages.h"

namespace fermata {

class LoadedPlugin;

struct StagesOptions {
  std::string folder;  // of *.so; empty: none
  std::string
      private_dir;  // ours alone (0700), made if absent; plugins are loaded from copies in it
  // JSON text by plugin, short name or id: what every stage of it gets at create().
  std::map<std::string, std::string> config;
  absl::Duration cancel_grace = absl::Seconds(5);
  uint32_t max_depth = 16;     // sub-stages inside each other
  uint32_t chunk_credit = 16;  // chunks that a streaming stage may emit in one turn
  std::function<void(const StageLogRecord&)> log;  // on the loop
};

struct LoadReport {
  absl::Status status;  // of the folder itself; a refused plugin is not an error here
  size_t loaded = 0;
  size_t refused = 0;
  std::vector<std::string> refusals;  // "PLG-nnn ..."
};

class PluginHost final : public Stages {
 public:
  PluginHost(Loop& loop, StagesOptions options);
  ~PluginHost() override;
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;

  // Once. On cancel: waits for the file that is being loaded.
  Co<LoadReport> load_all();
  // A plugin linked into the program, as if it had been found in a file of that name.
  absl::Status add_plugin(const std::string& file, const fermata_plugin* descriptor);
  // Every call is cancelled; wakes when all have let go, or the grace period is over.
  Co<void> close();

  absl::StatusOr<StageRef> resolve(std::string_view use) const override;
  Co<StageOutcome> call(StageRef stage, StageRequest request) override;
  std::vector<PluginInfo> list() const override;

  // For metrics: every stage, and what it counts for itself.
  struct StageView {
    const StageInfo* info;
    const StageCounters* counters;
    const PluginMetrics* metrics;
  };
  std::vector<StageView> stage_views() const;

 private:
  struct HostedStage;
  struct HostedPlugin;

  absl::Status create_instances(HostedPlugin& plugin);
  absl::StatusOr<std::string> config_for(const HostedPlugin& plugin, const StageInfo& stage) const;
  void refuse(HostedPlugin& plugin, const absl::Status& why, LoadReport& report);
  HostedStage* find(std::string_view use, std::string* why) const;

  StagesOptions options_;
  std::unique_ptr<HostContext> context_;
  std::vector<std::unique_ptr<HostedPlugin>> plugins_;  // in file order
  std::map<std::string, HostedStage*, std::less<>> by_use_;
  bool closed_ = true;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_HOST_H_

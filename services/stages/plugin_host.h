// PluginHost: the real Stages. Loads the plugins of a folder, runs their stages on one loop, and
// changes versions under load.
//
//   PluginHost host(loop, options);
//   LoadReport report = co_await host.load_all();      // on the loop; files and dlopen on a worker
//   ... co_await host.call(stage, request) ...
//   co_await host.load_file("http.so");                // a new version: loaded beside, then
//   switched co_await host.close();                             // cancels what runs, stops the
//   plugins
//
// One bad plugin never keeps the others from loading, and never replaces one that works: it is
// listed with its refusal. Old versions drain in tasks of run(). Loop thread only; closed before it
// is destroyed. Code is never unmapped.
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
#include "services/async/async.h"
#include "services/stages/denied_list.h"
#include "services/stages/generation.h"
#include "services/stages/isolated/restart_policy.h"
#include "services/stages/plugin_folder.h"
#include "services/stages/plugin_metrics.h"
#include "services/stages/plugin_placement.h"
#include "services/stages/plugin_probe.h"
#include "services/stages/plugin_slot.h"
#include "services/stages/stage_instance.h"
#include "services/stages/stages.h"

namespace fermata {

// How a new version comes to run everything: in shares of the new attempts. No steps: at once.
struct CanaryOptions {
  std::vector<int> steps;                        // percent, ascending
  absl::Duration step_time = absl::Seconds(30);  // each step takes at least so long,
  uint64_t attempts = 50;                        // and so many ended attempts
  double error_points = 5;                       // more than the old one's error rate: back
};

struct StagesOptions {
  std::string folder;  // of *.so; empty: none
  std::string
      private_dir;  // ours alone (0700), made if absent; plugins are loaded from copies in it
  // JSON text by plugin, short name or id: what every stage of it gets at create().
  std::map<std::string, std::string> config;
  absl::Duration cancel_grace = absl::Seconds(5);
  // How long the calls of a version that goes may still run; then they are tried again on the new.
  absl::Duration drain_timeout = absl::Minutes(10);
  // How long its instances then wait for a roll-back.
  absl::Duration rollback_window = absl::Minutes(10);
  Placements placements;
  RestartLimits restart;  // of plugins in processes of their own
  // Of all chunks of one call together; and of one output of a plugin in its own process.
  uint64_t payload_max = uint64_t{64} << 20;
  ProbeOptions probe;
  CanaryOptions canary;
  std::string lock;         // plugins.lock: only what it names is loaded; empty: all of the folder
  std::string denied_file;  // where roll-backs are remembered; empty: until the end
  uint32_t max_depth = 16;  // sub-stages inside each other
  uint32_t chunk_credit = 16;  // chunks that a streaming stage may emit in one turn
  std::function<void(const StageLogRecord&)> log;  // on the loop
  // What pipelines call now, as in "http/get@1.2": those versions are kept. Null: nothing.
  std::function<std::vector<std::string>()> uses;
  // The set of stages has changed. Null: nobody cares.
  std::function<void()> changed;
};

struct LoadReport {
  absl::Status status;  // of the folder itself; a refused plugin is not an error here
  size_t loaded = 0;
  size_t refused = 0;
  std::vector<std::string> refusals;  // "PLG-nnn ..."
};

enum class LoadReason : uint8_t {
  kStart,     // nothing is running yet
  kRescan,    // perhaps nothing has changed: what was refused stays refused
  kDropped,   // somebody put it there: what was refused is tried again
  kAsked,     // somebody asked: what is active already gets new instances
  kRollback,  // its bytes were active before: at once, without a canary
};

struct ReloadCounts {
  uint64_t loaded = 0;
  uint64_t unchanged = 0;
  uint64_t refused = 0;
  uint64_t rolled_back = 0;
};

// What became of one file.
struct FileReport {
  absl::Status status;  // "PLG-nnn ..." when it was refused
  std::string id;       // as far as they are known
  std::string label;
  std::string before;                                // what it replaced; empty: nothing
  bool fresh = false;                                // false: its bytes were active already
  GenerationState state = GenerationState::kActive;  // of what was loaded: or a canary, or pinned
};

class PluginHost final : public Stages {
 public:
  // Code of one plugin that may be mapped at the same time, used or not.
  static constexpr size_t kMaxImages = 17;
  // Refused files that are remembered.
  static constexpr size_t kMaxRefused = 1000;
  // Calls of one version that may kill their process before it is rolled back.
  static constexpr uint64_t kLostMax = 3;

  PluginHost(Loop& loop, StagesOptions options);
  ~PluginHost() override;
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;

  // Once. On cancel: waits for the file that is being loaded.
  Co<LoadReport> load_all();
  // A plugin linked into the program, as if it had been found in a file of that name.
  Co<absl::Status> add_plugin(std::string file, const fermata_plugin* descriptor);

  // Where old versions drain; until it is cancelled. Needed for whatever replaces one.
  Co<absl::Status> run();
  // Takes up a file of the folder as it is now.
  //   wakes when   it is active, or was refused
  //   on cancel    when the step that runs has ended; then nothing has changed
  //   on shutdown  likewise
  Co<FileReport> load_file(std::string file, LoadReason reason);
  // It is not in the folder any more. What was loaded from it goes on, unless another version is
  // active.
  void file_gone(const std::string& file);
  // Files that are known by now, loaded or refused.
  std::vector<std::string> known_files() const;
  // Back to the version before, or away with the canary; the bytes that were left are denied until
  // allow(). At once while that version is warm; later it is loaded anew, from our copy of it.
  // `plugin`: a short name or an id. Gives what was done, for people. NOT_FOUND: no such plugin;
  // FAILED_PRECONDITION: nothing to go back to, or several plugins of that short name.
  Co<absl::StatusOr<std::string>> rollback(std::string plugin, std::string why);
  // NOT_FOUND: they are not denied.
  Co<absl::StatusOr<std::string>> allow(std::string sha256);
  const ReloadCounts& counts() const { return counts_; }

  // Every call is cancelled; wakes when all have let go, or the grace period is over.
  Co<void> close();

  absl::StatusOr<StageRef> resolve(std::string_view use) const override;
  Co<StageOutcome> call(const StageRef& stage, StageRequest request) override;
  std::vector<PluginInfo> list() const override;

  // For metrics: every stage, and what it counts for itself.
  struct StageView {
    const StageInfo* info;
    const StageCounters* counters;
    const PluginMetrics* metrics;
  };
  std::vector<StageView> stage_views() const;
  // Of every plugin that has had a process of its own.
  struct ProcessView {
    std::string_view plugin_id;
    const ProcessStats* stats;
  };
  std::vector<ProcessView> process_views() const;
  // Of every plugin that is loaded.
  struct HealthView {
    std::string_view short_name;
    bool available;  // false: its process crashes in a loop, and its jobs wait
  };
  std::vector<HealthView> health() const;

 private:
  // plugin_host.cc
  RouteRef find(std::string_view use, std::string* why) const;
  std::string refusal_of(std::string_view use) const;
  StageTarget target_for(std::string_view use, const PluginGeneration& caller) const;
  void name_routes();
  static PluginInfo info_of(const PluginGeneration& generation);
  // plugin_host_load.cc
  Co<FileReport> load_locked(std::string file, LoadReason reason);
  absl::Status judge(const TakenPlugin& taken, LoadReason reason, bool* known);
  void audit(const TakenPlugin& taken, const FileReport& report) const;
  TakeOptions take_options() const;
  Co<absl::Status> load_taken(TakenPlugin taken, LoadReason reason, FileReport* report);
  Co<absl::StatusOr<GenerationRef>> inproc_generation(PluginSlot* slot, TakenPlugin taken);
  Co<absl::StatusOr<std::shared_ptr<LoadedPlugin>>> image_of(PluginSlot* slot, TakenPlugin taken);
  Co<absl::Status> start_generation(PluginSlot* slot, GenerationRef generation, LoadReason reason);
  // plugin_host_isolated.cc
  HostFacts facts() const;
  absl::Status check_placement(const TakenPlugin& taken) const;
  Co<absl::StatusOr<GenerationRef>> isolated_generation(PluginSlot* slot, TakenPlugin taken,
                                                        PluginIdentity identity);
  // plugin_host_load.cc again
  absl::Status check_version(const TakenPlugin& taken, const PluginSlot& slot) const;
  std::string config_of(const PluginIdentity& identity) const;
  PluginSlot& slot_of(std::string_view id);
  void warn_of_namesake(const PluginSlot& slot) const;
  void refuse(const TakenPlugin& taken, const absl::Status& why);
  // plugin_host_drain.cc
  void switch_to(PluginSlot& slot, const GenerationRef& generation);
  void review(PluginSlot& slot);
  bool wanted(const PluginSlot& slot, const PluginGeneration& generation) const;
  static Co<absl::Status> serve(TaskGroup& group, PluginHost* self);
  static Co<void> drain(PluginHost* self, PluginSlot* slot, GenerationRef generation);
  Co<bool> drained(PluginSlot* slot, GenerationRef generation);
  Co<void> retire(PluginSlot* slot, GenerationRef generation);
  // plugin_host_rollback.cc
  absl::StatusOr<PluginSlot*> find_slot(std::string_view plugin) const;
  Co<absl::Status> go_back(PluginSlot* slot);
  Co<absl::StatusOr<std::string>> withdraw(PluginSlot* slot, GenerationRef bad, std::string why);
  Co<absl::Status> save_denied();
  static Co<void> canary(PluginHost* self, PluginSlot* slot, GenerationRef generation);
  std::string fault_of(const PluginGeneration& canary, const PluginGeneration& active,
                       const GenerationTally& before) const;
  Co<bool> went_back(PluginSlot* slot);
  void say(StageLogLevel level, std::string_view plugin, absl::string_view message) const;

  StagesOptions options_;
  std::unique_ptr<HostContext> context_;
  std::map<std::string, std::unique_ptr<PluginSlot>> slots_;  // by plugin id
  std::map<std::string, RouteRef, std::less<>> by_use_;       // null: in two plugins
  bool started_ = false;                                      // load_all() has ended
  std::map<std::string, std::string> present_;                // file -> sha256 of its bytes
  std::map<std::string, PluginInfo> refused_;                 // by file
  std::map<std::string, PluginInfo> retired_;                 // by id and label
  DeniedList denied_;
  ReloadCounts counts_;
  Lock loading_;
  TaskGroup* group_ = nullptr;
  bool closed_ = true;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_HOST_H_

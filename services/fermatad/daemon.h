// Daemon: all parts of the server, made in the order in which they depend on each other.
//
//   load()   plugins, then the pipelines that use them
//   open()   opens the store, binds both addresses
//   serve()  until the first signal, and through the drain after it
//   close()  lets the plugins go
//
// The one place that knows every room. Everything on the loop's thread; close() before it is
// destroyed, whatever failed before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "services/async/async.h"
#include "services/config/config.h"
#include "services/config/redactor.h"
#include "services/engine/engine.h"
#include "services/fermatad/catalog.h"
#include "services/fermatad/plugin_admin.h"
#include "services/fermatad/readiness.h"
#include "services/fermatad/stores.h"
#include "services/frontend/server.h"
#include "services/metrics/http_server.h"
#include "services/metrics/scrape.h"
#include "services/pipeline/pipeline_library.h"
#include "services/stages/folder_watch.h"
#include "services/stages/plugin_host.h"
#include "services/stages/plugin_placement.h"
#include "services/stages/plugins_lock.h"
#include "services/store/clock.h"

namespace fermata {

class Daemon {
 public:
  // `private_dir` is where plugins are copied to; the config outlives the daemon.
  Daemon(Loop& loop, const Config& config, const std::string& private_dir, Placements placements);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // A refused plugin is no error here (see refusals()); a bad pipeline is.
  Co<absl::Status> load();
  const std::vector<std::string>& refusals() const { return refusals_; }

  // For --check: the files that open() will read, without binding anything.
  absl::Status check_files() const;
  absl::Status open();

  // Calls `ready` once clients are answered.
  //   wakes when   a signal came and the drain after it is done, or a part has failed
  using Ready = void (*)(const Daemon& daemon);
  Co<absl::Status> serve(Ready ready);

  Co<void> close();

  // One line for people: the addresses, and what was loaded. After open().
  std::string greeting() const;
  // Takes the configuration's secrets out of a text.
  const Redactor& redactor() const { return redactor_; }
  size_t plugin_count() const { return loaded_plugins_; }
  size_t pipeline_count() const { return pipelines_.size(); }

 private:
  static Co<absl::Status> serve_parts(TaskGroup& group, Daemon& daemon, Ready ready);
  static Co<absl::Status> run_engine(Daemon& daemon);
  static Co<absl::Status> run_server(Daemon& daemon);
  static Co<absl::Status> watch_store(Daemon& daemon);
  static Co<absl::Status> watch_plugins(Daemon& daemon);
  Co<void> drain(Task<void> engine);
  static Co<absl::Status> run_plugins(Daemon& daemon);
  static Co<absl::Status> run_admin(Daemon& daemon);
  static Co<absl::Status> watch_folder(Daemon& daemon);
  StagesOptions plugin_options(const std::string& private_dir, Placements placements);
  absl::Status check_trust() const;
  std::vector<Scrape::Source> metric_sources();
  absl::Status open_metrics();

  Loop& loop_;
  const Config& config_;
  const LoopClock clock_;
  absl::BitGen random_;
  PluginHost stages_;
  std::unique_ptr<InotifyEvents> folder_events_;  // null: the folder is not watched
  std::unique_ptr<PluginAdmin> admin_;
  std::unique_ptr<PluginCatalog> catalog_;
  PipelineLibrary pipelines_;
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<frontend::Server> server_;
  std::unique_ptr<Readiness> readiness_;
  std::shared_ptr<Scrape> scrape_;
  std::unique_ptr<MetricsServer> metrics_;
  const Redactor redactor_;
  std::vector<std::string> refusals_;
  size_t loaded_plugins_ = 0;
};

}  // namespace fermata

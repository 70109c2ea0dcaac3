#include "services/fermatad/daemon.h"

#include <functional>
#include <utility>

#include "absl/time/time.h"
#include "services/config/str_cat.h"
#include "services/fermatad/log.h"
#include "services/fermatad/metric_sources.h"
#include "services/fermatad/plugin_metric_source.h"
#include "services/fermatad/readiness.h"
#include "services/fermatad/server_options.h"
#include "services/fermatad/signals.h"
#include "services/fermatad/version.h"

namespace fermata {
namespace {

// A scrape that the loop does not answer in this time goes without the loop's numbers.
constexpr absl::Duration kScrapeWait = absl::Seconds(1);
constexpr absl::Duration kStoreLook = absl::Seconds(1);
constexpr absl::Duration kPluginLook = absl::Seconds(1);
// For the last answers to reach their clients.
constexpr absl::Duration kGrace = absl::Seconds(2);
// More than the drain's own limits; then the process ends itself.
constexpr absl::Duration kWatchdogMargin = absl::Seconds(30);

StagesOptions stages_options(const Config& config, const std::string& private_dir,
                             Placements placements) {
  StagesOptions options;
  options.placements = std::move(placements);
  options.payload_max = EngineLimits().output;
  options.folder = config.plugins.folder;
  options.private_dir = private_dir;
  options.config = config.plugins.config;
  options.drain_timeout = config.plugins.drain;
  options.rollback_window = config.plugins.rollback_window;
  options.denied_file = config.plugins.denied;
  if (options.placements.program.empty()) {
    log_warning(
        "plugins are not probed before they are loaded: no fermata-plugin-host beside fermatad");
  }
  options.probe.program = options.placements.program;
  if (config.plugins.trust == PluginTrust::kLock) options.lock = config.plugins.lock;
  const CanaryConfig& canary = config.plugins.canary;
  options.canary.steps.assign(canary.steps.begin(), canary.steps.end());
  options.canary.step_time = canary.step_time;
  options.canary.attempts = static_cast<uint64_t>(canary.attempts);
  options.canary.error_points = canary.error_points;
  options.log = [](const StageLogRecord& record) {
    const std::string line =
        str_cat(record.plugin_id, record.stage.empty() ? "" : "/", record.stage,
                record.job_id.empty() ? "" : " jobs/", record.job_id, ": ", record.message);
    switch (record.level) {
      case StageLogLevel::kDebug:
        return log_debug(line);
      case StageLogLevel::kInfo:
        return log_info(line);
      case StageLogLevel::kWarning:
        return log_warning(line);
      case StageLogLevel::kError:
        return log_error(line);
    }
  };
  return options;
}

EngineLimits engine_limits(const Config& config) {
  EngineLimits limits;
  limits.jobs = static_cast<size_t>(config.limits.jobs);
  limits.bytes = config.limits.bytes;
  limits.window = static_cast<size_t>(config.limits.window);
  limits.payload = config.limits.payload;
  limits.fan_out = static_cast<size_t>(config.limits.fan_out);
  limits.running = static_cast<size_t>(config.limits.running);
  return limits;
}

// Waits for its threads, 100 ms or so: not on the loop.
void end_metrics(std::unique_ptr<MetricsServer>* metrics) { metrics->reset(); }

// "host:port" with the port that was really bound.
std::string bound(const std::string& address, int port) {
  const size_t colon = address.rfind(':');
  if (port == 0 || colon == std::string::npos) return address;
  return str_cat(address.substr(0, colon), ":", port);
}

}  // namespace

Daemon::Daemon(Loop& loop, const Config& config, const std::string& private_dir,
               Placements placements)
    : loop_(loop),
      config_(config),
      clock_(loop),
      stages_(loop, plugin_options(private_dir, std::move(placements))),
      redactor_(config.secrets) {}

Daemon::~Daemon() = default;

StagesOptions Daemon::plugin_options(const std::string& private_dir, Placements placements) {
  StagesOptions options = stages_options(config_, private_dir, std::move(placements));
  options.uses = [this] {
    std::vector<std::string> uses;
    for (const std::shared_ptr<const Pipeline>& pipeline : pipelines_.list()) {
      for (const PipelineStage& stage : pipeline->stages) uses.push_back(stage.use);
    }
    return uses;
  };
  options.changed = [this] {
    if (catalog_ != nullptr) catalog_->refresh(stages_);
  };
  return options;
}

Co<absl::Status> Daemon::load() {
  absl::Status trusted = check_trust();
  if (!trusted.ok()) co_return trusted;
  // Before the first look, so that nothing is dropped in between unseen.
  if (config_.plugins.watch && !config_.plugins.folder.empty()) {
    absl::StatusOr<std::unique_ptr<InotifyEvents>> events =
        InotifyEvents::open(config_.plugins.folder);
    if (!events.ok()) co_return events.status();
    folder_events_ = *std::move(events);
  }
  LoadReport report = co_await stages_.load_all();
  if (!report.status.ok()) co_return report.status;
  loaded_plugins_ = report.loaded;
  refusals_ = std::move(report.refusals);
  catalog_ = std::make_unique<PluginCatalog>(stages_);
  if (!config_.pipelines_folder.empty()) {
    absl::Status status = pipelines_.load(config_.pipelines_folder, catalog_.get());
    if (!status.ok()) co_return status;
  }
  co_return absl::OkStatus();
}

absl::Status Daemon::check_trust() const {
  const PluginsConfig& plugins = config_.plugins;
  if (plugins.trust == PluginTrust::kLock) return check_loader_environment();
  if (plugins.watch) {
    log_warning(str_cat("plugins.trust is owner: whoever can write ", plugins.folder,
                        " runs code in this server; plugins.trust: lock allows only what "
                        "plugins.lock names"));
  }
  return absl::OkStatus();
}

absl::Status Daemon::check_files() const {
  return frontend::CredentialFiles::open(server_options(config_).credentials).status();
}

absl::Status Daemon::open() {
  // Not before: a check must not touch the store of a server that runs.
  absl::StatusOr<std::unique_ptr<Stores>> stores = Stores::open(loop_, clock_, config_);
  if (!stores.ok()) return stores.status();
  stores_ = *std::move(stores);
  engine_ =
      std::make_unique<Engine>(loop_, stores_->store(), stages_, pipelines_, clock_,
                               absl::BitGenRef(random_), engine_limits(config_), catalog_.get());
  // Metrics first: once the front end is bound it must be served.
  absl::Status status = open_metrics();
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<frontend::Server>> server = frontend::Server::start(
      loop_, frontend::Backend{*engine_, pipelines_, stages_}, server_options(config_));
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  readiness_ = std::make_unique<Readiness>(config_.health.loop_lag,
                                           [this](bool ready) { server_->set_serving(ready); });
  if (config_.plugins.admin.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<PluginAdmin>> admin =
      PluginAdmin::open(config_.plugins.admin, stages_);
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  return absl::OkStatus();
}

absl::Status Daemon::open_metrics() {
  if (config_.metrics.empty()) return absl::OkStatus();
  scrape_ = std::make_shared<Scrape>(
      [this](absl::AnyInvocable<void()> call) { loop_.post(std::move(call)); }, kScrapeWait,
      metric_sources());
  absl::StatusOr<std::unique_ptr<MetricsServer>> metrics =
      MetricsServer::start(config_.metrics, scrape_);
  if (!metrics.ok()) return metrics.status();
  metrics_ = *std::move(metrics);
  return absl::OkStatus();
}

std::vector<Scrape::Source> Daemon::metric_sources() {
  return {
      &add_build_metrics,
      &add_process_metrics,
      [this](Families& out) { add_loop_metrics(loop_.stats(), out); },
      [this](Families& out) { add_engine_metrics(engine_->stats(), loop_.now(), out); },
      [this](Families& out) { add_store_metrics(stores_->store().stats(), out); },
      [this](Families& out) { add_stage_metrics(stages_, out); },
      [this](Families& out) { add_plugin_metrics(stages_, out); },
      [this](Families& out) { add_reload_metrics(stages_, out); },
      [this](Families& out) { add_plugin_process_metrics(stages_, out); },
      [this](Families& out) {
        if (server_ == nullptr) return;
        add_rpc_metrics(server_->counters(), out);
        add_guard_metrics(server_->guard(), server_->door(), out);
      },
  };
}

std::string Daemon::greeting() const {
  return str_cat(
      "fermatad ", kVersion, ": gRPC on ", bound(config_.listen, server_->port()),
      metrics_ == nullptr
          ? ""
          : str_cat(", metrics on http://", bound(config_.metrics, metrics_->port()), "/metrics"),
      ", ", loaded_plugins_, " plugins, ", pipelines_.size(), " pipelines");
}

Co<absl::Status> Daemon::serve(Ready ready) {
  co_return co_await with_group(&Daemon::serve_parts, std::ref(*this), ready);
}

Co<absl::Status> Daemon::run_engine(Daemon& daemon) { co_return co_await daemon.engine_->run(); }

Co<absl::Status> Daemon::run_server(Daemon& daemon) { co_return co_await daemon.server_->serve(); }

Co<absl::Status> Daemon::run_plugins(Daemon& daemon) { co_return co_await daemon.stages_.run(); }

Co<absl::Status> Daemon::run_admin(Daemon& daemon) { co_return co_await daemon.admin_->serve(); }

// When it ends, what is loaded goes on; only nothing new comes.
Co<absl::Status> Daemon::watch_folder(Daemon& daemon) {
  FolderWatch::Options options;
  options.log = [](StageLogLevel, std::string message) {
    log_warning(str_cat("plugins: ", message));
  };
  FolderWatch watch(daemon.stages_, *daemon.folder_events_, std::move(options));
  const absl::Status ended = co_await watch.run();
  log_error(str_cat("plugins: the folder is not watched any more: ", ended.ToString()));
  co_return absl::OkStatus();
}

Co<absl::Status> Daemon::serve_parts(TaskGroup& group, Daemon& daemon, Ready ready) {
  group.spawn_named("plugins", &Daemon::run_plugins, std::ref(daemon));
  Task<void> engine = group.spawn_named("engine", &Daemon::run_engine, std::ref(daemon));
  group.spawn_named("server", &Daemon::run_server, std::ref(daemon));
  co_await daemon.engine_->serving();  // it knows what the store has
  const uint64_t recovered = daemon.engine_->stats().recovered;
  if (recovered > 0) log_info(str_cat(recovered, " jobs of the store go on"));
  group.spawn_named("store.health", &Daemon::watch_store, std::ref(daemon));
  group.spawn_named("plugins.health", &Daemon::watch_plugins, std::ref(daemon));
  group.spawn_named("readiness", &Readiness::beat, daemon.readiness_.get());
  if (daemon.folder_events_ != nullptr) {
    group.spawn_named("plugins.watch", &Daemon::watch_folder, std::ref(daemon));
  }
  if (daemon.admin_ != nullptr) {
    group.spawn_named("plugins.admin", &Daemon::run_admin, std::ref(daemon));
  }
  ready(daemon);
  absl::Status signalled = co_await Signals::wait();
  if (!signalled.ok()) co_return signalled;
  co_await daemon.drain(std::move(engine));
  group.cancel(CancelReason::kShutdown);
  co_return absl::OkStatus();
}

// A store that does not write makes a server that takes no work: load balancers must know.
Co<absl::Status> Daemon::watch_store(Daemon& daemon) {
  StoreHealth last = StoreHealth::kOk;
  uint64_t damaged = 0;
  for (;;) {
    const StoreStats stats = daemon.stores_->store().stats();
    if (stats.damaged > damaged) log_error(str_cat("the store: ", stats.problem));
    damaged = stats.damaged;
    if (stats.health != last) {
      last = stats.health;
      if (last == StoreHealth::kOk) {
        log_info("the store writes again");
      } else {
        log_error(str_cat("the store refuses new work: ", stats.problem));
      }
      daemon.readiness_->set(Readiness::Reason::kStoreStopped, last == StoreHealth::kStopped);
    }
    co_await sleep(kStoreLook);
  }
}

// A plugin whose jobs have to wait is no reason to send clients away from all the others.
Co<absl::Status> Daemon::watch_plugins(Daemon& daemon) {
  for (;;) {
    for (const PluginHost::HealthView& plugin : daemon.stages_.health()) {
      daemon.server_->set_part_serving(str_cat("plugins/", plugin.short_name), plugin.available);
    }
    co_await sleep(kPluginLook);
  }
}

Co<void> Daemon::drain(Task<void> engine) {
  const ShutdownConfig& times = config_.shutdown;
  log_info(str_cat("stopping: not ready any more; new jobs for another ",
                   absl::FormatDuration(times.pause), ", then ", absl::FormatDuration(times.drain),
                   " for running jobs to end"));
  Signals::arm_watchdog(times.pause + times.drain + kGrace + kWatchdogMargin);
  readiness_->set(Readiness::Reason::kDraining, true);
  co_await sleep(times.pause);
  engine_->begin_drain();
  const absl::Time until = loop_.now() + times.drain;
  const bool empty = co_await engine_->drained(until);
  if (!empty)
    log_warning(
        "stopping: jobs still run; those of memory queues are cancelled, the others go on at the "
        "next "
        "start");
  engine_->stop();
  // Their end is news for those who wait for them, so it comes before the front end's.
  const Outcome<void> ended = co_await std::move(engine);
  if (!ended.ok()) log_error(str_cat("the engine ended with ", ended.status().ToString()));
  co_await server_->stop(kGrace);
  log_info("stopped");
}

Co<void> Daemon::close() {
  readiness_.reset();
  if (scrape_ != nullptr) scrape_->stop();
  if (metrics_ != nullptr) co_await offload(&end_metrics, &metrics_);
  // After a part has failed there was no drain, and calls still come in: they need the loop to be
  // answered, and gRPC waits for that.
  if (server_ != nullptr) co_await server_->stop(absl::ZeroDuration());
  if (stores_ != nullptr) co_await stores_->store().close();
  co_await stages_.close();
}

}  // namespace fermata

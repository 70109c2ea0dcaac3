#include "services/cli/local_server.h"

#include <functional>
#include <future>
#include <thread>
#include <utility>

#include "absl/random/random.h"
#include "services/async/async.h"
#include "services/cli/cat.h"
#include "services/config/config.h"
#include "services/engine/engine.h"
#include "services/fermatad/catalog.h"
#include "services/fermatad/placements.h"
#include "services/fermatad/private_folder.h"
#include "services/frontend/server.h"
#include "services/pipeline/pipeline_library.h"
#include "services/stages/plugin_host.h"
#include "services/store/memory_store.h"

namespace fermata::cli {
namespace {

// Nobody but us is connected, so nothing has to end first.
constexpr absl::Duration kGrace = absl::ZeroDuration();

absl::StatusOr<Config> make_config(const LocalOptions& options) {
  if (options.config.empty() && options.plugins.empty()) {
    return absl::InvalidArgumentError(
        "--local needs the stages: --plugins DIR, or --config FILE (or FERMATA_CONFIG)");
  }
  absl::StatusOr<Config> config =
      options.config.empty() ? absl::StatusOr<Config>(Config()) : load_config(options.config);
  if (!config.ok()) return config;
  if (!options.plugins.empty()) config->plugins.folder = options.plugins;
  if (!options.pipelines.empty()) config->pipelines_folder = options.pipelines;
  return config;
}

StagesOptions stages_options(const Config& config, const std::string& private_dir) {
  StagesOptions options;
  options.folder = config.plugins.folder;
  options.private_dir = private_dir;
  options.config = config.plugins.config;
  options.placements.program = plugin_host_program(config);
  return options;
}

}  // namespace

class LocalServer::State {
 public:
  State(Config config, PrivateFolder folder)
      : config_(std::move(config)),
        folder_(std::move(folder)),
        address_(cat("unix:", folder_.path(), "/socket")),
        loop_(static_cast<size_t>(config_.offload_threads)) {}

  ~State() {
    if (!thread_.joinable()) return;
    loop_.post([this] { stop_.set(); });
    thread_.join();
  }

  absl::Status start() {
    std::future<absl::Status> started = started_.get_future();
    thread_ = std::thread([this] {
      const absl::Status ended = loop_.run(&State::serve, std::ref(*this));
      // The thread's end is the answer when it never got so far as to serve.
      if (!answered_) started_.set_value(ended);
    });
    return started.get();
  }

  const std::string& address() const { return address_; }
  const std::vector<std::string>& refusals() const { return refusals_; }

 private:
  // What serve_parts() needs of serve()'s frame.
  struct Parts {
    Engine& engine;
    frontend::Server& server;
    Event& stop;
  };

  static Co<absl::Status> serve(State& self) {
    const LoopClock clock(self.loop_);
    absl::BitGen random;
    PluginHost stages(self.loop_, stages_options(self.config_, self.folder_.path()));
    LoadReport report = co_await stages.load_all();
    self.refusals_ = std::move(report.refusals);
    absl::Status status = report.status;
    if (status.ok()) status = co_await self.serve_stages(clock, random, stages);
    co_await stages.close();
    co_return status;
  }

  Co<absl::Status> serve_stages(const Clock& clock, absl::BitGen& random, PluginHost& stages) {
    const PluginCatalog catalog(stages);
    PipelineLibrary pipelines;
    if (!config_.pipelines_folder.empty()) {
      absl::Status loaded = pipelines.load(config_.pipelines_folder, &catalog);
      if (!loaded.ok()) co_return loaded;
    }
    MemoryStore store(clock, Retention());
    EngineLimits limits;
    limits.payload = config_.limits.payload;
    limits.fan_out = static_cast<size_t>(config_.limits.fan_out);
    Engine engine(loop_, store, stages, pipelines, clock, absl::BitGenRef(random), limits,
                  &catalog);
    frontend::ServerOptions options;
    options.listen = address_;
    options.limits.payload = config_.limits.payload;
    absl::StatusOr<std::unique_ptr<frontend::Server>> server =
        frontend::Server::start(loop_, frontend::Backend{engine, pipelines, stages}, options);
    if (!server.ok()) co_return server.status();
    answered_ = true;
    started_.set_value(absl::OkStatus());
    Parts parts{engine, **server, stop_};
    co_return co_await with_group(&State::serve_parts, std::ref(parts));
  }

  static Co<absl::Status> run_engine(Parts& parts) { co_return co_await parts.engine.run(); }
  static Co<absl::Status> run_server(Parts& parts) { co_return co_await parts.server.serve(); }

  static Co<absl::Status> serve_parts(TaskGroup& group, Parts& parts) {
    Task<void> engine = group.spawn_named("engine", &State::run_engine, std::ref(parts));
    group.spawn_named("server", &State::run_server, std::ref(parts));
    co_await parts.stop.wait();
    parts.engine.begin_drain();
    parts.engine.stop();
    const Outcome<void> ended = co_await std::move(engine);
    co_await parts.server.stop(kGrace);
    co_return ended.status();
  }

  const Config config_;
  const PrivateFolder folder_;
  const std::string address_;
  EpollLoop loop_;
  Event stop_;             // loop thread
  bool answered_ = false;  // the thread's alone
  std::promise<absl::Status> started_;
  std::vector<std::string> refusals_;  // written before `started_`, constant after
  std::thread thread_;
};

LocalServer::LocalServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalServer::~LocalServer() = default;

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::start(const LocalOptions& options) {
  absl::StatusOr<Config> config = make_config(options);
  if (!config.ok()) return config.status();
  absl::StatusOr<PrivateFolder> folder = PrivateFolder::make();
  if (!folder.ok()) return folder.status();
  auto state = std::make_unique<State>(*std::move(config), *std::move(folder));
  absl::Status started = state->start();
  if (!started.ok()) return started;
  return std::unique_ptr<LocalServer>(new LocalServer(std::move(state)));
}

const std::string& LocalServer::address() const { return state_->address(); }
const std::vector<std::string>& LocalServer::refusals() const { return state_->refusals(); }

}  // namespace fermata::cli

#include "services/stages/plugin_host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/async.h"
#include "services/async/check.h"
#include "services/config/nearest_name.h"
#include "services/stages/absl_view.h"
#include "services/stages/call_awaiter.h"
#include "services/stages/input_check.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/plugin_folder.h"

namespace fermata {
namespace {

// Checking a larger input would hold the loop: about a millisecond.
constexpr size_t kCheckedOnTheLoop = size_t{128} << 10;

}  // namespace

struct PluginHost::HostedStage final : Stage {
  HostedStage(StageInfo info, const PluginHost& host) : Stage(std::move(info)), host(&host) {}
  const PluginHost* host;
  std::unique_ptr<StageInstance> instance;  // null before create() and after close()
  bool open() const { return instance != nullptr && instance->open(); }
};

struct PluginHost::HostedPlugin {
  PluginInfo info;
  std::unique_ptr<LoadedPlugin> plugin;
  std::vector<std::shared_ptr<HostedStage>> stages;
};

PluginHost::PluginHost(Loop& loop, StagesOptions options)
    : options_(std::move(options)), context_(std::make_unique<HostContext>(loop)) {
  context_->log = options_.log;
  context_->cancel_grace_ns = absl::ToInt64Nanoseconds(options_.cancel_grace);
  context_->max_depth = options_.max_depth;
  context_->chunk_credit = std::max<uint32_t>(options_.chunk_credit, 1);
  context_->find_stage = [this](std::string_view use) -> StageInstance* {
    HostedStage* stage = find(use, nullptr);
    return stage != nullptr ? stage->instance.get() : nullptr;
  };
}

PluginHost::~PluginHost() {
  FERMATA_CHECK(closed_, "co_await close() before a PluginHost is destroyed");
}

// ---- loading ----------------------------------------------------------------------------------

Co<LoadReport> PluginHost::load_all() {
  LoadReport report;
  context_->thread = std::this_thread::get_id();
  ScannedFolder scanned = co_await offload(&scan_plugin_folder, options_.folder,
                                           options_.private_dir, HostFacts::here());
  report.status = scanned.status;
  for (FoundPlugin& found : scanned.found) {
    auto& hosted = *plugins_.emplace_back(std::make_unique<HostedPlugin>());
    hosted.info.id = found.note.id;
    hosted.info.version = found.note.version;
    if (!found.note.id.empty()) hosted.info.short_name = short_plugin_name(found.note.id);
    hosted.info.file = found.file;
    hosted.info.sha256 = found.sha256;
    hosted.plugin = std::move(found.plugin);
    absl::Status status = found.status;
    if (status.ok()) status = create_instances(hosted);
    if (status.ok()) {
      ++report.loaded;
    } else {
      refuse(hosted, status, report);
    }
  }
  co_return report;
}

absl::Status PluginHost::add_plugin(const std::string& file, const fermata_plugin* descriptor) {
  context_->thread = std::this_thread::get_id();
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> plugin =
      LoadedPlugin::from_descriptor(file, descriptor);
  if (!plugin.ok()) return plugin.status();
  if (absl::Status s = (*plugin)->init(); !s.ok()) return s;
  auto& hosted = *plugins_.emplace_back(std::make_unique<HostedPlugin>());
  hosted.plugin = *std::move(plugin);
  hosted.info.id = std::string(hosted.plugin->id());
  hosted.info.short_name = hosted.plugin->short_name();
  hosted.info.version = std::string(hosted.plugin->version());
  hosted.info.file = file;
  LoadReport report;
  absl::Status status = create_instances(hosted);
  if (!status.ok()) refuse(hosted, status, report);
  return status;
}

absl::StatusOr<std::string> PluginHost::config_for(const HostedPlugin& plugin,
                                                   const StageInfo& stage) const {
  auto given = options_.config.find(plugin.info.id);
  if (given == options_.config.end()) given = options_.config.find(plugin.info.short_name);
  absl::StatusOr<std::shared_ptr<const JsonSchema>> schema = compile_schema(stage.config_schema);
  const std::string where = absl::StrCat(plugin.info.id, "/", stage.name);
  if (!schema.ok()) {
    return refusal(151, where,
                   absl::StrCat("its config_schema is wrong: ", schema.status().message()));
  }
  absl::StatusOr<std::string> config =
      check_json(schema->get(), given == options_.config.end() ? "{}" : given->second);
  if (!config.ok()) {
    return refusal(
        150, where,
        absl::StrCat("config ", config.status().message(), " (schema of ", stage.version, ")"));
  }
  return config;
}

absl::Status PluginHost::create_instances(HostedPlugin& plugin) {
  closed_ = false;
  for (size_t i = 0; i < plugin.plugin->stage_count(); ++i) {
    StageInfo info = plugin.plugin->stage_info(i);
    const std::string where = absl::StrCat(plugin.info.id, "/", info.name);
    absl::StatusOr<std::string> config = config_for(plugin, info);
    if (!config.ok()) return config.status();
    absl::StatusOr<std::shared_ptr<const JsonSchema>> input = compile_schema(info.input_schema);
    if (!input.ok()) {
      return refusal(151, where,
                     absl::StrCat("its input_schema is wrong: ", input.status().message()));
    }
    auto stage = plugin.stages.emplace_back(std::make_shared<HostedStage>(std::move(info), *this));
    stage->instance = std::make_unique<StageInstance>(*context_, plugin.plugin->stage(i), stage,
                                                      *std::move(input));
    if (absl::Status s = stage->instance->create(*config); !s.ok()) {
      return refusal(160, where, std::string(s.message()));
    }
  }
  for (const auto& stage : plugin.stages) {
    plugin.info.stages.push_back(stage->info());
    by_use_.emplace(absl::StrCat(plugin.info.id, "/", stage->info().name), stage.get());
    // Two ids may end in the same short name: then neither may be called by it.
    auto [entry, fresh] = by_use_.emplace(stage->info().use, stage.get());
    if (!fresh) entry->second = nullptr;
  }
  plugin.info.loaded = true;
  return absl::OkStatus();
}

void PluginHost::refuse(HostedPlugin& plugin, const absl::Status& why, LoadReport& report) {
  plugin.info.refusal = std::string(why.message());
  plugin.info.loaded = false;
  ++report.refused;
  report.refusals.push_back(plugin.info.refusal);
  // Instances made before the one that failed stay until close(): they may have work outstanding.
  for (const auto& stage : plugin.stages) stage->instance->close();
}

Co<void> PluginHost::close() {
  if (closed_) co_return;
  bool kept = false;
  by_use_.clear();
  for (const auto& plugin : plugins_) {
    for (const auto& stage : plugin->stages) {
      if (stage->instance != nullptr) stage->instance->close();
    }
  }
  for (const auto& plugin : plugins_) {
    for (const auto& stage : plugin->stages) {
      if (stage->instance == nullptr) continue;
      co_await stage->instance->closed().wait();
      // An instance that did not let go is kept for ever, and so is what it may still touch.
      if (stage->instance->abandoned()) {
        (void)stage->instance.release();
        kept = true;
      }
      stage->instance.reset();
    }
    if (plugin->plugin != nullptr) co_await offload(&LoadedPlugin::shut_down, plugin->plugin.get());
  }
  context_->wakers->close();
  context_->find_stage = nullptr;
  if (kept) (void)context_.release();
  closed_ = true;
}

// ---- calling ----------------------------------------------------------------------------------

PluginHost::HostedStage* PluginHost::find(std::string_view use, std::string* why) const {
  const size_t at = use.find('@');
  const std::string_view name = use.substr(0, at);
  const auto found = by_use_.find(name);
  if (found == by_use_.end()) {
    if (why != nullptr) {
      std::vector<std::string> known;
      for (const auto& [key, stage] : by_use_) known.push_back(key);
      *why = absl::StrCat("no stage '", absl_view(name), "'", did_you_mean(name, known));
      if (known.empty()) *why += "; no plugin is loaded";
    }
    return nullptr;
  }
  if (found->second == nullptr) {
    if (why != nullptr)
      *why = absl::StrCat("'", absl_view(name), "' is in two plugins: write the full plugin id");
    return nullptr;
  }
  const std::string& version = found->second->info().version;
  const std::string_view wanted = at == std::string_view::npos ? "" : use.substr(at + 1);
  const bool same =
      wanted.empty() || version == wanted ||
      (version.size() > wanted.size() && version.compare(0, wanted.size(), wanted) == 0 &&
       version[wanted.size()] == '.');
  if (!same && why != nullptr) {
    *why = absl::StrCat("no version ", absl_view(wanted), " of '", absl_view(name), "', only ",
                        version);
  }
  return same ? found->second : nullptr;
}

absl::StatusOr<StageRef> PluginHost::resolve(std::string_view use) const {
  std::string why;
  HostedStage* stage = find(use, &why);
  if (stage == nullptr) return absl::NotFoundError(why);
  return stage->shared_from_this();
}

namespace {

StageOutcome shutting_down(const StageInfo& stage) {
  StageOutcome outcome;
  outcome.status = absl::UnavailableError(absl::StrCat(stage.use, ": the server is shutting down"));
  outcome.retryable = true;
  outcome.version = stage.version;
  return outcome;
}

StageOutcome bad_input(Stage& stage, const absl::Status& why) {
  stage.counters().reject();
  StageOutcome outcome;
  outcome.status =
      absl::Status(why.code(), absl::StrCat("input of ", stage.info().use, ": ", why.message()));
  outcome.version = stage.info().version;
  return outcome;
}

absl::StatusOr<std::string> check_input(std::shared_ptr<const JsonSchema> schema,
                                        std::string input) {
  return check_json(schema.get(), std::move(input));
}

}  // namespace

Co<StageOutcome> PluginHost::call(StageRef stage, StageRequest request) {
  FERMATA_CHECK(stage != nullptr, "resolve() the stage first");
  auto* hosted = static_cast<HostedStage*>(stage.get());
  FERMATA_CHECK(hosted->host == this, "this stage belongs to another PluginHost");
  if (!hosted->open()) co_return shutting_down(hosted->info());
  if (const std::shared_ptr<const JsonSchema> schema = hosted->instance->input_schema()) {
    absl::StatusOr<std::string> checked;
    if (request.input.size() <= kCheckedOnTheLoop) {
      checked = check_input(schema, std::move(request.input));
    } else {
      checked = co_await offload(&check_input, schema, std::move(request.input));
    }
    if (!checked.ok()) co_return bad_input(*hosted, checked.status());
    if (!hosted->open()) co_return shutting_down(hosted->info());
    request.input = *std::move(checked);
  }
  StageCallSpec spec;
  spec.job_id = std::move(request.job_id);
  spec.input = Buffer(std::move(request.input));
  spec.deadline_ns = context_->loop.to_ns(request.deadline);
  spec.attempt = request.attempt;
  spec.observer = request.observer;
  CallAwaiter call(*hosted->instance, std::move(spec));
  co_return co_await call;
}

std::vector<PluginInfo> PluginHost::list() const {
  std::vector<PluginInfo> infos;
  for (const auto& plugin : plugins_) infos.push_back(plugin->info);
  return infos;
}

std::vector<PluginHost::StageView> PluginHost::stage_views() const {
  std::vector<StageView> views;
  for (const auto& plugin : plugins_) {
    for (const auto& stage : plugin->stages) {
      if (stage->instance == nullptr) continue;
      views.push_back({&stage->info(), &stage->counters(), &stage->instance->metrics()});
    }
  }
  return views;
}

}  // namespace fermata

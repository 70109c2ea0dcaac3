#include "services/stages/plugin_host.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/async/check.h"
#include "services/config/nearest_name.h"
#include "services/stages/absl_view.h"

namespace fermata {

PluginHost::PluginHost(Loop& loop, StagesOptions options)
    : options_(std::move(options)), context_(std::make_unique<HostContext>(loop)) {
  context_->log = options_.log;
  context_->cancel_grace_ns = absl::ToInt64Nanoseconds(options_.cancel_grace);
  context_->max_depth = options_.max_depth;
  context_->payload_max = options_.payload_max;
  context_->chunk_credit = std::max<uint32_t>(options_.chunk_credit, 1);
  context_->find_stage = [this](std::string_view use, const PluginGeneration& caller) {
    return target_for(use, caller);
  };
}

PluginHost::~PluginHost() {
  FERMATA_CHECK(closed_, "co_await close() before a PluginHost is destroyed");
}

// ---- names ------------------------------------------------------------------------------------

void PluginHost::name_routes() {
  const auto before = std::exchange(by_use_, {});
  for (const auto& [id, slot] : slots_) {
    for (const auto& [stage, route] : slot->routes()) {
      by_use_.emplace(absl::StrCat(id, "/", stage), route);
      // Two ids may end in the same short name: then neither may be called by it. But what jobs
      // call already is not taken away by what comes later.
      const auto [entry, fresh] =
          by_use_.emplace(absl::StrCat(slot->short_name(), "/", stage), route);
      if (fresh || entry->second == route) continue;
      const auto had = before.find(entry->first);
      entry->second = started_ && had != before.end() ? had->second : nullptr;
    }
  }
  if (options_.changed) options_.changed();
}

// "; p.so was refused (PLG-160) ..." when a plugin of that name was; empty otherwise. Not the
// reason: who may call stages need not be who may see the plugins.
std::string PluginHost::refusal_of(std::string_view use) const {
  const absl::string_view plugin = absl_view(use.substr(0, use.rfind('/')));
  for (const auto& [file, info] : refused_) {
    if (info.id.empty() || (plugin != info.short_name && plugin != info.id)) continue;
    return absl::StrCat("; ", file, " was refused (",
                        info.refusal.substr(0, info.refusal.find(' ')),
                        "): `fermata plugins` says why");
  }
  return "";
}

RouteRef PluginHost::find(std::string_view use, std::string* why) const {
  const size_t at = use.find('@');
  const std::string_view name = use.substr(0, at);
  const auto found = by_use_.find(name);
  if (found == by_use_.end()) {
    if (why == nullptr) return nullptr;
    std::vector<std::string> known;
    for (const auto& [key, stage] : by_use_) known.push_back(key);
    *why = absl::StrCat("no stage '", absl_view(name), "'", did_you_mean(name, known));
    if (known.empty()) *why += "; no plugin is loaded";
    *why += refusal_of(name);
    return nullptr;
  }
  if (found->second == nullptr) {
    if (why != nullptr)
      *why = absl::StrCat("'", absl_view(name), "' is in two plugins: write the full plugin id");
    return nullptr;
  }
  if (at == std::string_view::npos) return found->second;
  const std::string_view wanted = use.substr(at + 1);
  PluginSlot& slot = found->second->slot();
  RouteRef pinned = slot.pinned(found->second->info().name, wanted);
  if (pinned == nullptr && why != nullptr) {
    std::set<std::string> versions;
    for (const GenerationRef& generation : slot.generations()) {
      versions.insert(generation->identity().version);
    }
    *why = absl::StrCat("no version ", absl_view(wanted), " of '", absl_view(name), "', only ",
                        absl::StrJoin(versions, ", "));
  }
  return pinned;
}

absl::StatusOr<StageRef> PluginHost::resolve(std::string_view use) const {
  std::string why;
  RouteRef route = find(use, &why);
  if (route == nullptr) return absl::NotFoundError(why);
  return StageRef(std::move(route));
}

StageTarget PluginHost::target_for(std::string_view use, const PluginGeneration& caller) const {
  const RouteRef route = find(use, nullptr);
  if (route == nullptr) return StageTarget();
  // A plugin's own stages are those of the version that calls: no attempt mixes two.
  if (route->pin().empty() && route->slot().id() == caller.identity().id) {
    const int stage = caller.find_stage(route->info().name);
    if (stage >= 0) {
      auto own = const_cast<PluginGeneration&>(caller).shared_from_this();
      return StageTarget{std::move(own), static_cast<size_t>(stage)};
    }
  }
  return route->next();
}

// ---- calling ----------------------------------------------------------------------------------

namespace {

Co<StageOutcome> nobody_runs_it(StageRef stage, bool closed) {
  StageOutcome outcome;
  const StageInfo& info = stage->info();
  if (closed) {
    outcome.status =
        absl::UnavailableError(absl::StrCat(info.use, ": the server is shutting down"));
    outcome.retryable = true;
  } else {
    outcome.status = absl::NotFoundError(absl::StrCat("no version of ", info.plugin_id,
                                                      " that is loaded has the stage '", info.name,
                                                      "' any more (it was in ", info.version, ")"));
  }
  outcome.version = info.version;
  co_return outcome;
}

}  // namespace

Co<StageOutcome> PluginHost::call(const StageRef& stage, StageRequest request) {
  FERMATA_CHECK(stage != nullptr, "resolve() the stage first");
  const StageTarget& target = static_cast<StageRoute&>(*stage).next();
  if (target.generation == nullptr) return nobody_runs_it(stage, closed_);
  return target.generation->call(target.stage, std::move(request));
}

// ---- what there is ----------------------------------------------------------------------------

PluginInfo PluginHost::info_of(const PluginGeneration& generation) {
  PluginInfo info;
  const PluginIdentity& identity = generation.identity();
  info.id = identity.id;
  info.short_name = identity.short_name;
  info.version = identity.version;
  info.file = identity.file;
  info.sha256 = identity.sha256;
  info.loaded = true;
  info.state = generation.state();
  info.placement = std::string(generation.placement());
  info.process = generation.state_text();
  info.calls = generation.calls();
  info.stages = generation.stages();
  return info;
}

std::vector<PluginInfo> PluginHost::list() const {
  std::vector<PluginInfo> infos;
  for (const auto& [id, slot] : slots_) {
    for (const GenerationRef& generation : slot->generations()) {
      infos.push_back(info_of(*generation));
    }
  }
  for (const auto& [key, info] : retired_) infos.push_back(info);
  for (const auto& [file, info] : refused_) infos.push_back(info);
  std::stable_sort(infos.begin(), infos.end(),
                   [](const PluginInfo& a, const PluginInfo& b) { return a.file < b.file; });
  return infos;
}

std::vector<PluginHost::StageView> PluginHost::stage_views() const {
  std::vector<StageView> views;
  for (const auto& [id, slot] : slots_) {
    if (slot->active() == nullptr) continue;
    PluginGeneration& active = *slot->active();
    for (size_t i = 0; i < active.stages().size(); ++i) {
      const StageSeries& series = active.series(i);
      views.push_back({&active.stages()[i], series.counters.get(), series.metrics.get()});
    }
  }
  return views;
}

std::vector<std::string> PluginHost::known_files() const {
  std::vector<std::string> files;
  for (const auto& [file, sha256] : present_) files.push_back(file);
  for (const auto& [file, info] : refused_) {
    if (present_.count(file) == 0) files.push_back(file);
  }
  return files;
}

Co<void> PluginHost::close() {
  if (closed_) co_return;
  FERMATA_CHECK(group_ == nullptr, "run() has to end before close()");
  by_use_.clear();
  std::vector<GenerationRef> all;
  for (const auto& [id, slot] : slots_) {
    for (const GenerationRef& generation : slot->generations()) all.push_back(generation);
  }
  // All at once: what one of them waits for may be a call into another.
  for (const GenerationRef& generation : all) generation->begin_close();
  for (const GenerationRef& generation : all) {
    co_await generation->close();
    if (generation->kept()) context_->kept.push_back(generation);
  }
  context_->wakers->close();
  context_->find_stage = nullptr;
  if (!context_->kept.empty()) (void)context_.release();
  closed_ = true;
}

}  // namespace fermata

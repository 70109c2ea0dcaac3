// The part of PluginHost that gives a plugin a process of its own.
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/isolated/isolated_generation.h"
#include "services/stages/plugin_host.h"
#include "services/stages/static_checks.h"

namespace fermata {

HostFacts PluginHost::facts() const {
  HostFacts facts = HostFacts::here();
  // The plugins' placements do not change: a worker thread may ask them.
  facts.own_process = [this](const PluginNote& note) { return options_.placements.isolated(note); };
  return facts;
}

absl::Status PluginHost::check_placement(const TakenPlugin& taken) const {
  const bool isolated = options_.placements.isolated(taken.note);
  if (!isolated && (taken.note.flags & FERMATA_PLUGIN_ISOLATE) != 0) {
    return refusal(143, taken.file,
                   absl::StrCat("asks for a process of its own (FERMATA_PLUGIN_ISOLATE), "
                                "plugins.isolation says placement: inproc - leave that out"));
  }
  if (isolated && options_.placements.program.empty()) {
    return refusal(143, taken.file,
                   "is to run in a process of its own, and this server has no "
                   "fermata-plugin-host beside it - install it, or name it as plugins.host");
  }
  return absl::OkStatus();
}

Co<absl::StatusOr<GenerationRef>> PluginHost::isolated_generation(PluginSlot* slot,
                                                                  TakenPlugin taken,
                                                                  PluginIdentity identity) {
  PluginProcessOptions options;
  options.program = options_.placements.program;
  options.file = taken.file;
  options.library = taken.path;
  options.plugin_id = taken.note.id;
  options.version = taken.note.version;
  options.confinement = options_.placements.of(taken.note).confinement;
  options.payload_max = options_.payload_max;
  options.cancel_grace_ns = context_->cancel_grace_ns;
  options.ping_ns = absl::ToInt64Nanoseconds(options_.placements.of(taken.note).hang) /
                    PluginProcess::kPingsMissedMax;
  options.busy_poll_ns = absl::ToInt64Nanoseconds(options_.placements.of(taken.note).busy_poll);
  options.chunk_credit = context_->chunk_credit;
  auto plugin = std::make_unique<IsolatedPlugin>(*context_, std::move(options), options_.restart,
                                                 identity.label(), slot->process_stats);
  absl::StatusOr<std::vector<StageInfo>> stages = co_await plugin->start();
  if (!stages.ok()) {
    co_await plugin->close();
    co_return stages.status();
  }
  std::vector<StageSeries> series = slot->series_for(*stages);
  GenerationRef generation = std::make_shared<IsolatedGeneration>(
      std::move(plugin), std::move(identity), *std::move(stages), std::move(series));
  co_return generation;
}

std::vector<PluginHost::ProcessView> PluginHost::process_views() const {
  std::vector<ProcessView> views;
  for (const auto& [id, slot] : slots_) {
    if (slot->process_stats->starts > 0) views.push_back({id, slot->process_stats.get()});
  }
  return views;
}

std::vector<PluginHost::HealthView> PluginHost::health() const {
  std::vector<HealthView> views;
  for (const auto& [id, slot] : slots_) {
    if (slot->active() != nullptr)
      views.push_back({slot->short_name(), !slot->active()->degraded()});
  }
  return views;
}

}  // namespace fermata

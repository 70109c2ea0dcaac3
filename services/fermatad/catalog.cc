#include "services/fermatad/catalog.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "services/config/str_cat.h"

namespace fermata {

namespace {

bool answers(GenerationState state) {
  return state == GenerationState::kActive || state == GenerationState::kPinned;
}

}  // namespace

void PluginCatalog::refresh(const Stages& stages) {
  by_use_.clear();
  names_.clear();
  for (const PluginInfo& plugin : stages.list()) {
    if (!plugin.loaded || !answers(plugin.state)) continue;
    const bool active = plugin.state == GenerationState::kActive;
    for (const StageInfo& stage : plugin.stages) {
      StageSignature signature;
      if (!stage.input_schema.empty()) {
        // The host has compiled it before it loaded the plugin, so this does not fail.
        absl::StatusOr<std::shared_ptr<const JsonSchema>> schema =
            JsonSchema::compile(stage.input_schema);
        if (schema.ok()) signature.input_schema = *std::move(schema);
      }
      const std::string full = str_cat(plugin.id, "/", stage.name);
      for (const std::string& use : {stage.use, full}) {
        // "@1", "@1.2" and "@1.2.3"; where several versions fit, the last one listed stands for
        // all.
        for (size_t end = 0; end < plugin.version.size(); ++end) {
          end = std::min(plugin.version.find('.', end), plugin.version.size());
          by_use_[str_cat(use, "@", plugin.version.substr(0, end))] = signature;
        }
        if (active) by_use_[use] = signature;
      }
      if (active) names_.push_back(stage.use);
    }
  }
}

const StageSignature* PluginCatalog::find(std::string_view use) const {
  const auto found = by_use_.find(use);
  return found == by_use_.end() ? nullptr : &found->second;
}

std::vector<std::string> PluginCatalog::names() const { return names_; }

}  // namespace fermata

#include "services/fermatad/catalog.h"

#include <memory>
#include <utility>

#include "services/config/str_cat.h"

namespace fermata {

PluginCatalog::PluginCatalog(const Stages& stages) {
  for (const PluginInfo& plugin : stages.list()) {
    if (!plugin.loaded) continue;
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
        by_use_[str_cat(use, "@", plugin.version)] = signature;
        by_use_[use] = signature;
      }
      names_.push_back(stage.use);
    }
  }
}

const StageSignature* PluginCatalog::find(std::string_view use) const {
  const auto found = by_use_.find(use);
  return found == by_use_.end() ? nullptr : &found->second;
}

std::vector<std::string> PluginCatalog::names() const { return names_; }

}  // namespace fermata

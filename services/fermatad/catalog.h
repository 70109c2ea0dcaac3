// PluginCatalog: the loaded stages as what the pipeline loader asks about (stage_catalog.h).
//
// A snapshot, taken on the loop, and again whenever plugins were reloaded; it holds compiled
// schemas. Loop thread only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/pipeline/stage_catalog.h"
#include "services/stages/stages.h"

namespace fermata {

class PluginCatalog final : public StageCatalog {
 public:
  explicit PluginCatalog(const Stages& stages) { refresh(stages); }

  void refresh(const Stages& stages);

  const StageSignature* find(std::string_view use) const override;
  std::vector<std::string> names() const override;

 private:
  // Every way to name a stage that the host takes: short or full plugin name, with or without
  // version.
  std::map<std::string, StageSignature, std::less<>> by_use_;
  std::vector<std::string> names_;
};

}  // namespace fermata

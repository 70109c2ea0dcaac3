#include "services/stages/isolated/isolated_generation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/input_check.h"
#include "services/stages/stage_attempt.h"
#include "services/stages/static_checks.h"

namespace fermata {

IsolatedGeneration::IsolatedGeneration(std::unique_ptr<IsolatedPlugin> plugin,
                                       PluginIdentity identity, std::vector<StageInfo> stages,
                                       std::vector<StageSeries> series)
    : PluginGeneration(std::move(identity), std::move(stages), std::move(series)),
      plugin_(std::move(plugin)) {
  plugin_->belongs_to(this);
}

Co<absl::Status> IsolatedGeneration::create(std::vector<std::string> configs) {
  FERMATA_CHECK(configs.size() == stages().size(), "one config for each stage");
  std::vector<std::unique_ptr<RemoteStage>> remote;
  for (size_t i = 0; i < configs.size(); ++i) {
    const StageInfo& info = stages()[i];
    absl::StatusOr<std::shared_ptr<const JsonSchema>> input = compile_schema(info.input_schema);
    if (!input.ok()) {
      co_return refusal(151, absl::StrCat(identity().id, "/", info.name),
                        absl::StrCat("its input_schema is wrong: ", input.status().message()));
    }
    remote.push_back(std::make_unique<RemoteStage>(*plugin_, static_cast<uint32_t>(i), info,
                                                   std::move(configs[i]), *std::move(input),
                                                   series(i).counters, series(i).metrics));
  }
  absl::Status created = co_await plugin_->create(std::move(remote));
  created_ = created.ok();
  co_return created;
}

Co<StageOutcome> IsolatedGeneration::call(size_t stage, StageRequest&& request) {
  return attempt_stage(*this, plugin_->host(), stage, std::move(request));
}

}  // namespace fermata

#include "services/stages/inproc_generation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/async.h"
#include "services/async/check.h"
#include "services/stages/input_check.h"
#include "services/stages/stage_attempt.h"
#include "services/stages/static_checks.h"

namespace fermata {
std::vector<StageInfo> stage_infos(const LoadedPlugin& plugin) {
  std::vector<StageInfo> infos;
  for (size_t i = 0; i < plugin.stage_count(); ++i) infos.push_back(plugin.stage_info(i));
  return infos;
}

InprocGeneration::InprocGeneration(HostContext& context, std::shared_ptr<LoadedPlugin> plugin,
                                   PluginIdentity identity, std::vector<StageSeries> series)
    : PluginGeneration(std::move(identity), stage_infos(*plugin), std::move(series)),
      context_(context),
      plugin_(std::move(plugin)),
      instances_(plugin_->stage_count()) {
  plugin_->add_user();
}

InprocGeneration::~InprocGeneration() {
  FERMATA_CHECK(!uses_plugin_, "a generation was freed before close() had ended");
}

absl::Status InprocGeneration::create_instance(size_t stage, const std::string& config) {
  const StageInfo& info = stages()[stage];
  const std::string where = absl::StrCat(identity().id, "/", info.name);
  absl::StatusOr<std::shared_ptr<const JsonSchema>> input = compile_schema(info.input_schema);
  if (!input.ok()) {
    return refusal(151, where,
                   absl::StrCat("its input_schema is wrong: ", input.status().message()));
  }
  instances_[stage] = std::make_unique<StageInstance>(
      context_, plugin_->stage(stage), *this, std::make_shared<Stage>(info, series(stage).counters),
      series(stage).metrics, *std::move(input));
  if (context_.creating) context_.creating(info);
  const absl::Status created = instances_[stage]->create(config);
  if (!created.ok()) return refusal(160, where, std::string(created.message()));
  return absl::OkStatus();
}

Co<absl::Status> InprocGeneration::create(std::vector<std::string> configs) {
  FERMATA_CHECK(configs.size() == instances_.size(), "one config for each stage");
  for (size_t i = 0; i < configs.size(); ++i) {
    absl::Status created = create_instance(i, configs[i]);
    if (!created.ok()) co_return created;
  }
  open_ = true;
  co_return absl::OkStatus();
}

Co<StageOutcome> InprocGeneration::call(size_t stage, StageRequest&& request) {
  return attempt_stage(*this, context_, stage, std::move(request));
}

void InprocGeneration::preempt() {
  for (const auto& instance : instances_) {
    if (instance != nullptr) instance->preempt();
  }
}

void InprocGeneration::refuse_and_cancel() {
  open_ = false;
  for (const auto& instance : instances_) {
    if (instance != nullptr) instance->close();
  }
}

Co<void> InprocGeneration::close() {
  begin_close();
  // Twice the grace period is more than a plugin may take to let go of its calls and its root call.
  const absl::Duration limit = absl::Nanoseconds(2 * context_.cancel_grace_ns) + absl::Seconds(1);
  for (auto& instance : instances_) {
    if (instance == nullptr) continue;
    absl::Status closed = co_await timeout(limit, instance->closed().wait());
    if (!closed.ok()) instance->abandon();
    // An instance that did not let go is kept for ever, and so is what it may still touch.
    if (instance->abandoned()) {
      (void)instance.release();
      kept_ = true;
    }
    instance.reset();
  }
  if (!std::exchange(uses_plugin_, false)) co_return;
  // With an instance that was kept, a thread of the plugin may still run.
  if (plugin_->drop_user() && !kept_) co_await offload(&LoadedPlugin::shut_down, plugin_.get());
}

}  // namespace fermata

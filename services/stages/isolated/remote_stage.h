// RemoteStage: one stage of a plugin in its own process, as what calls it sees it. Loop thread
// only.
#ifndef SERVICES_STAGES_ISOLATED_REMOTE_STAGE_H_
#define SERVICES_STAGES_ISOLATED_REMOTE_STAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "services/stages/plugin_metrics.h"
#include "services/stages/running_call.h"
#include "services/stages/stage_counters.h"

namespace fermata {

class IsolatedPlugin;

class RemoteStage final : public Callee {
 public:
  RemoteStage(IsolatedPlugin& plugin, uint32_t index, StageInfo info, std::string config,
              std::shared_ptr<const JsonSchema> input_schema,
              std::shared_ptr<StageCounters> counters, std::shared_ptr<PluginMetrics> metrics)
      : plugin_(plugin),
        index_(index),
        info_(std::move(info)),
        config_(std::move(config)),
        input_schema_(std::move(input_schema)),
        counters_(std::move(counters)),
        metrics_(std::move(metrics)) {}

  bool open() const noexcept override;
  const std::shared_ptr<const JsonSchema>& input_schema() const noexcept override {
    return input_schema_;
  }
  RunningCall& new_call(RunningCall::Owner& owner, StageCallSpec&& spec) override;

  IsolatedPlugin& plugin() const { return plugin_; }
  uint32_t index() const { return index_; }
  const StageInfo& info() const { return info_; }
  const std::string& config() const { return config_; }
  StageCounters& counters() const { return *counters_; }
  PluginMetrics& metrics() const { return *metrics_; }

 private:
  IsolatedPlugin& plugin_;
  const uint32_t index_;
  const StageInfo info_;
  const std::string config_;
  const std::shared_ptr<const JsonSchema> input_schema_;
  const std::shared_ptr<StageCounters> counters_;
  const std::shared_ptr<PluginMetrics> metrics_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_REMOTE_STAGE_H_

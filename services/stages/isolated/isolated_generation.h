// IsolatedGeneration: a version whose code runs in a process of its own (isolated_plugin.h).
#ifndef SERVICES_STAGES_ISOLATED_ISOLATED_GENERATION_H_
#define SERVICES_STAGES_ISOLATED_ISOLATED_GENERATION_H_

#include <memory>
#include <string>
#include <vector>

#include "services/stages/generation.h"
#include "services/stages/isolated/isolated_plugin.h"

namespace fermata {

class IsolatedGeneration final : public PluginGeneration {
 public:
  // `plugin`: started, with these stages.
  IsolatedGeneration(std::unique_ptr<IsolatedPlugin> plugin, PluginIdentity identity,
                     std::vector<StageInfo> stages, std::vector<StageSeries> series);

  bool open() const override { return created_ && plugin_->open(); }
  std::string_view placement() const override { return "isolated"; }
  std::string state_text() const override { return plugin_->state_text(); }
  bool degraded() const override { return created_ && plugin_->open() && !plugin_->coming(); }
  Co<absl::Status> create(std::vector<std::string> configs) override;
  Co<StageOutcome> call(size_t stage, StageRequest&& request) override;
  void preempt() override { plugin_->preempt(); }
  Co<void> close() override {
    begin_close();
    return plugin_->close();
  }
  Callee* callee(size_t stage) const override {
    return created_ ? &plugin_->stage(stage) : nullptr;
  }

 protected:
  void refuse_and_cancel() override { plugin_->begin_close(); }

 private:
  const std::unique_ptr<IsolatedPlugin> plugin_;
  bool created_ = false;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_ISOLATED_GENERATION_H_

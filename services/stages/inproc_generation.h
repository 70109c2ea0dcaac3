// InprocGeneration: a version whose code is mapped into this process and runs on this loop.
//
// Several generations may share one mapping (LoadedPlugin): a file that comes back while its code
// is still in use gets new instances of that code. The last of them to close stops the plugin.
#ifndef SERVICES_STAGES_INPROC_GENERATION_H_
#define SERVICES_STAGES_INPROC_GENERATION_H_

#include <memory>
#include <string>
#include <vector>

#include "services/stages/generation.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/stage_instance.h"

namespace fermata {

class InprocGeneration final : public PluginGeneration {
 public:
  // `context` outlives it.
  InprocGeneration(HostContext& context, std::shared_ptr<LoadedPlugin> plugin,
                   PluginIdentity identity, std::vector<StageSeries> series);
  ~InprocGeneration() override;

  bool open() const override { return open_; }
  std::string_view placement() const override { return "inproc"; }
  Co<absl::Status> create(std::vector<std::string> configs) override;
  Co<StageOutcome> call(size_t stage, StageRequest&& request) override;
  void preempt() override;
  Co<void> close() override;
  bool kept() const override { return kept_; }
  Callee* callee(size_t stage) const override { return instances_[stage].get(); }
  // Null: not made, or gone.
  StageInstance* instance(size_t stage) const { return instances_[stage].get(); }

 protected:
  void refuse_and_cancel() override;

 private:
  absl::Status create_instance(size_t stage, const std::string& config);

  HostContext& context_;
  const std::shared_ptr<LoadedPlugin> plugin_;
  std::vector<std::unique_ptr<StageInstance>> instances_;  // null: not made, or gone
  bool open_ = false;
  bool uses_plugin_ = true;
  bool kept_ = false;
};

std::vector<StageInfo> stage_infos(const LoadedPlugin& plugin);

}  // namespace fermata

#endif  // SERVICES_STAGES_INPROC_GENERATION_H_

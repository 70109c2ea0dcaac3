#include "services/pipeline/pipeline.h"

#include "services/config/sha256.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/pipeline/stage_parse.h"

namespace fermata {

int Pipeline::find(std::string_view stage) const {
  for (size_t i = 0; i < stages.size(); ++i) {
    if (stages[i].name == stage) return static_cast<int>(i);
  }
  return -1;
}

std::string_view gather_mode_name(GatherMode mode) {
  switch (mode) {
    case GatherMode::kAll:
      return "all";
    case GatherMode::kSettled:
      return "settled";
    case GatherMode::kFirst:
      return "first";
    case GatherMode::kQuorum:
      return "quorum";
  }
  return "unknown";
}

std::string_view if_lost_name(IfLost if_lost) {
  switch (if_lost) {
    case IfLost::kByStage:
      return "";
    case IfLost::kRetry:
      return "retry";
    case IfLost::kFail:
      return "fail";
  }
  return "";
}

absl::StatusOr<std::shared_ptr<const Pipeline>> Pipeline::single_stage(std::string_view use) {
  if (!is_use(use)) {
    return absl::InvalidArgumentError(
        str_cat("expected a stage as plugin/stage or plugin/stage@version, got '",
                utf8_preview(use, 80), "'"));
  }
  PipelineStage stage;
  size_t slash = use.find('/');
  stage.name = std::string(use.substr(slash + 1, use.find('@') - slash - 1));
  stage.use = std::string(use);
  absl::StatusOr<Template> with = Template::of("/input", {});
  if (!with.ok()) return with.status();
  stage.with = *std::move(with);
  std::vector<std::string> names = {stage.name};
  absl::StatusOr<Template> result =
      Template::of("/stages" + json_pointer_step(stage.name), {names, false});
  if (!result.ok()) return result.status();

  auto pipeline = std::make_shared<Pipeline>();
  pipeline->name = std::string(use);
  pipeline->version = sha256_hex(use).substr(0, 12);
  pipeline->stages.push_back(std::move(stage));
  pipeline->result = *std::move(result);
  return pipeline;
}

}  // namespace fermata

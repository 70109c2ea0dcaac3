#include "services/engine/plan.h"

#include <utility>

#include "services/engine/errors.h"

namespace fermata {
namespace {

TextSource whole_value(const Template& text) {
  TextSource source;
  if (text.uses().size() != 1) return source;
  const Template::Use& use = text.uses()[0];
  if (!use.whole || !use.pointer.empty() || !use.reference.steps().empty()) return source;
  if (use.reference.root() == Reference::Root::kInput) source.kind = TextSource::Kind::kInput;
  if (use.reference.root() == Reference::Root::kStage) {
    source.kind = TextSource::Kind::kStage;
    source.stage = use.reference.stage();
  }
  return source;
}

// Notes what a reference will look into.
void note(Plan& plan, const Reference& reference) {
  if (reference.root() == Reference::Root::kInput) plan.needs_input = true;
  if (reference.root() == Reference::Root::kStage) {
    plan.stages[static_cast<size_t>(reference.stage())].needs_value = true;
  }
}

void note(Plan& plan, const Template& text, TextSource& source) {
  source = whole_value(text);
  // A schema may add defaults to the input, which are in its value and not in its text.
  const bool defaults = plan.pipeline->input != nullptr;
  if (source.kind == TextSource::Kind::kInput && defaults) source = TextSource();
  if (source.kind != TextSource::Kind::kNone) return;
  for (const Template::Use& use : text.uses()) note(plan, use.reference);
}

size_t bytes_of(const Pipeline& pipeline) {
  // Its text is there as the source, a key, and in pieces.
  const size_t schema = pipeline.input == nullptr ? 0 : pipeline.input->bytes();
  return 4 * pipeline.source.size() + schema +
         pipeline.stages.size() * (sizeof(PipelineStage) + sizeof(StagePlan));
}

}  // namespace

std::shared_ptr<Plan> PlanCache::make(std::shared_ptr<const Pipeline> pipeline, bool bare,
                                      std::string_view stats_key) {
  auto plan = std::make_shared<Plan>();
  plan->pipeline = std::move(pipeline);
  plan->bare = bare;
  plan->stats = stats_of(stats_key);
  const std::vector<PipelineStage>& stages = plan->pipeline->stages;
  plan->stages.resize(stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    StagePlan& stage = plan->stages[i];
    note(*plan, stages[i].with, stage.input);
    if (stages[i].each.has_value()) note(*plan, *stages[i].each);
    if (stages[i].when.has_value()) note(*plan, *stages[i].when);
    stage.waits_for = static_cast<int>(stages[i].after.size());
    for (const int before : stages[i].after) {
      plan->stages[static_cast<size_t>(before)].dependents.push_back(static_cast<int>(i));
    }
    const bool next_in_chain = stages[i].after == std::vector<int>{static_cast<int>(i) - 1};
    if (i > 0 && !next_in_chain) plan->chain = false;
    const bool shared = stats_key == "(inline)" || stats_key == "(other)";
    stage.stats = &plan->stats->stages[shared ? "(any)" : stages[i].name];
  }
  note(*plan, plan->pipeline->result, plan->result);
  return plan;
}

PipelineStats* PlanCache::stats_of(std::string_view key) {
  const auto found = stats_.pipelines.find(std::string(key));
  if (found != stats_.pipelines.end()) return &found->second;
  if (stats_.pipelines.size() >= EngineStats::kMaxPipelines) key = "(other)";
  return &stats_.pipelines[std::string(key)];
}

absl::StatusOr<PlanRef> PlanCache::named(const std::string& name) {
  absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline = library_.resolve(name);
  if (!pipeline.ok()) return pipeline_not_found(name, pipeline.status());
  const auto found = named_.find(pipeline->get());
  if (found != named_.end()) return found->second;
  // Old versions of reloaded pipelines go too; running jobs hold their own reference.
  if (named_.size() >= kPlansMax) named_.clear();
  const Pipeline* const key = pipeline->get();
  return named_[key] = make(*std::move(pipeline), false, name);
}

absl::StatusOr<PlanRef> PlanCache::stage(const std::string& use) {
  const auto found = bare_.find(use);
  absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline = nullptr;
  if (found == bare_.end()) pipeline = Pipeline::single_stage(use);
  if (!pipeline.ok()) return invalid_field("job.stage", std::string(pipeline.status().message()));
  // Whether it is known is asked each time: its plugin may be gone since.
  const absl::StatusOr<StageRef> stage = stages_.resolve(use);
  if (!stage.ok()) return stage_not_found(use, stage.status());
  if (found != bare_.end()) return found->second;
  if (bare_.size() >= kPlansMax) bare_.clear();
  return bare_[use] = make(*std::move(pipeline), true, use);
}

absl::StatusOr<PlanRef> PlanCache::inline_yaml(const std::string& yaml) {
  const auto found = inline_.find(yaml);
  if (found != inline_.end()) return found->second;
  absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline =
      parse_pipeline(yaml, "pipeline_yaml", catalog_, SchemaLimits::of_strangers());
  if (!pipeline.ok()) {
    return invalid_field("job.pipeline_yaml", std::string(pipeline.status().message()));
  }
  const size_t bytes = bytes_of(**pipeline);
  if (inline_.size() >= kInlineMax || inline_bytes_ + bytes > kInlineBytesMax) {
    inline_.clear();
    inline_bytes_ = 0;
  }
  std::shared_ptr<Plan> plan = make(*std::move(pipeline), false, "(inline)");
  plan->bytes = bytes;
  inline_bytes_ += bytes;
  return inline_[yaml] = std::move(plan);
}

}  // namespace fermata

// Plan: a pipeline as the engine runs it. What can be known before a job comes is worked out here,
// once per pipeline and not once per job.
//
// Values are passed between stages as JSON text wherever nothing looks inside them; `needs_value`
// and TextSource say where. Owned by PlanCache and by the jobs that run it; immutable but for the
// statistics it points to. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "services/engine/engine_stats.h"
#include "services/pipeline/pipeline.h"
#include "services/pipeline/pipeline_library.h"
#include "services/pipeline/stage_catalog.h"
#include "services/stages/stages.h"

namespace fermata {

// A template that is nothing but one whole value, so that its text can be passed on as it is.
struct TextSource {
  enum class Kind : uint8_t { kNone, kInput, kStage };
  Kind kind = Kind::kNone;
  int stage = -1;
};

struct StagePlan {
  std::vector<int> dependents;  // stages that wait for this one
  int waits_for = 0;            // stages this one waits for
  bool needs_value = false;     // some reference looks into its output
  TextSource input;             // of `with`
  StageStats* stats = nullptr;
};

struct Plan {
  std::shared_ptr<const Pipeline> pipeline;
  bool bare = false;         // implied by a bare stage
  bool chain = true;         // each stage waits for exactly the one before it
  bool needs_input = false;  // some reference looks into the input
  TextSource result;
  std::vector<StagePlan> stages;
  PipelineStats* stats = nullptr;
  // What it may come to hold, roughly, when it came with a request: counted for each of its jobs.
  size_t bytes = 0;

  const PipelineStage& stage(int index) const {
    return pipeline->stages[static_cast<size_t>(index)];
  }
};
using PlanRef = std::shared_ptr<const Plan>;

class PlanCache {
 public:
  PlanCache(const PipelineLibrary& library, const Stages& stages, const StageCatalog* catalog,
            EngineStats& stats)
      : library_(library), stages_(stages), catalog_(catalog), stats_(stats) {}

  // PIPELINE_NOT_FOUND.
  absl::StatusOr<PlanRef> named(const std::string& name);
  // STAGE_NOT_FOUND, or INVALID_REQUEST when it is not of the form plugin/stage.
  absl::StatusOr<PlanRef> stage(const std::string& use);
  // INVALID_REQUEST with file:line:column.
  absl::StatusOr<PlanRef> inline_yaml(const std::string& yaml);

 private:
  static constexpr size_t kPlansMax = 1000;  // of each kind
  static constexpr size_t kInlineMax = 64;
  static constexpr size_t kInlineBytesMax = size_t{16} << 20;

  std::shared_ptr<Plan> make(std::shared_ptr<const Pipeline> pipeline, bool bare,
                             std::string_view stats_key);
  PipelineStats* stats_of(std::string_view key);

  const PipelineLibrary& library_;
  const Stages& stages_;
  const StageCatalog* catalog_;
  EngineStats& stats_;
  absl::flat_hash_map<const Pipeline*, PlanRef> named_;
  absl::flat_hash_map<std::string, PlanRef> bare_;
  absl::flat_hash_map<std::string, PlanRef> inline_;
  size_t inline_bytes_ = 0;  // of all in inline_
};

}  // namespace fermata

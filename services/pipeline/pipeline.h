#pragma once

// A pipeline: a named, versioned, immutable graph of stages, read from YAML and checked completely
// before any job uses it. The engine walks `stages` in order: each one only depends on earlier
// ones.
//
// Shared by every job that runs it and never changed: any thread may read it.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/config/json_schema.h"
#include "services/pipeline/reference.h"
#include "services/pipeline/stage_catalog.h"
#include "services/pipeline/template.h"

namespace fermata {

// What becomes of the outputs of a stage with `each`.
enum class GatherMode {
  kAll,      // the outputs in item order; the first failure cancels the others and fails the stage
  kSettled,  // in item order, a failed item as {"error": {...}}; never fails
  kFirst,    // the one output that came first; the others are cancelled
  kQuorum,   // the first `quorum` outputs, in item order; the others are cancelled
};

enum class Jitter { kFull, kNone };

// What becomes of an attempt of which nobody knows how far it got: the server or the plugin's
// process died in it, or it was stopped.
enum class IfLost {
  kByStage,  // nothing was said: the server's death runs it again, its process's only if the stage
             // is idempotent
  kRetry,    // run again
  kFail,     // never entered again: the job ends FAILED, STAGE_LOST
};

struct RetryPolicy {
  int attempts = 5;  // in all, so 1 means no retry
  absl::Duration initial = absl::Seconds(1);
  double factor = 2;
  absl::Duration max = absl::Seconds(100);
  Jitter jitter = Jitter::kFull;
};

struct PipelineStage {
  std::string name;
  std::string use;                // "plugin/stage" or "plugin/stage@version"
  std::optional<Reference> each;  // an array: one call per item
  std::optional<Reference> when;  // the stage is skipped (output null) unless this is truthy
  Template with;                  // the input of a call
  std::vector<int> after;         // indexes of the stages it waits for, named or implied; ascending
  int parallel = 16;              // calls at once, with `each`
  GatherMode gather = GatherMode::kAll;
  int quorum = 0;  // with kQuorum
  RetryPolicy retry;
  IfLost if_lost = IfLost::kByStage;
  absl::Duration timeout = absl::Seconds(60);  // of one attempt
};

struct Pipeline {
  std::string name;
  std::string version;  // first 12 hex digits of the SHA-256 of its content, comments not counted
  std::string source;   // the YAML it was read from; "" for an implied pipeline
  std::shared_ptr<const JsonSchema> input;  // null: any input
  std::vector<PipelineStage> stages;        // in topological order
  // Without `result:` the output of the one stage nobody waits for, or an object of them by name.
  Template result;

  // The stage's index, or -1.
  int find(std::string_view stage) const;

  // The implied pipeline of a job that names a bare stage: one stage, called with the job's input.
  // INVALID_ARGUMENT when `use` is not of the form plugin/stage[@version].
  static absl::StatusOr<std::shared_ptr<const Pipeline>> single_stage(std::string_view use);
};

std::string_view gather_mode_name(GatherMode mode);  // "all", "settled", "first", "quorum"
std::string_view if_lost_name(IfLost if_lost);       // "", "retry", "fail"

// INVALID_ARGUMENT with one line per mistake: `file:line:column: what, expected X, got Y`.
// Without a catalog, stages and their inputs are not checked. `limits` are those of the input's
// schema.
absl::StatusOr<std::shared_ptr<const Pipeline>> parse_pipeline(std::string_view text,
                                                               std::string_view filename,
                                                               const StageCatalog* catalog,
                                                               const SchemaLimits& limits = {});

}  // namespace fermata

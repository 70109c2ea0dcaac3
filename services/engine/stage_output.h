// StageOutput: what a stage gave, as JSON text and, if some reference looks into it, as a value.
//
// The outputs of many calls are gathered without parsing twice: the text is joined, and the value
// is an array of the values that each call's own document owns.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/config/json.h"
#include "services/stages/buffer.h"

namespace fermata {

// One call's end.
struct CallResult {
  absl::Status status;
  std::string_view reason;  // of the job, if it fails by this; a constant
  int attempts = 0;
  Buffer output;                      // JSON text, when ok
  std::optional<JsonDocument> value;  // when ok and wanted
};

struct StageOutput {
  std::shared_ptr<const std::string> text;
  JsonDocument value;
  std::vector<JsonDocument> parts;  // own the memory that `value` points into

  static StageOutput of_one(CallResult result);
  // An array of the given results, in this order; a failed one is {"error": {...}}.
  // RESOURCE_EXHAUSTED when its text would have more than `bytes_max`.
  static absl::StatusOr<StageOutput> of_many(std::vector<CallResult> results, bool wants_value,
                                             size_t bytes_max);
};

}  // namespace fermata

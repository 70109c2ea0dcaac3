#include "services/engine/job_input.h"

#include <utility>

namespace fermata {

absl::StatusOr<JsonDocument> parse_input(const Pipeline& pipeline, std::string_view text,
                                         size_t bytes_max) {
  JsonLimits limits;
  limits.bytes = bytes_max;
  absl::StatusOr<JsonDocument> input = parse_json(text, limits);
  if (!input.ok() || pipeline.input == nullptr) return input;
  const absl::Status filled = pipeline.input->fill_defaults(*input, input->GetAllocator());
  if (!filled.ok()) return filled;
  const absl::Status valid = pipeline.input->validate(*input);
  if (!valid.ok()) return valid;
  return input;
}

}  // namespace fermata

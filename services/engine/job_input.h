// The input document of a job: parsed, checked against the pipeline's schema, defaults filled in.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/config/json.h"
#include "services/pipeline/pipeline.h"

namespace fermata {

// INVALID_ARGUMENT names line and column, or the place in the document; RESOURCE_EXHAUSTED for text
// of more than `bytes_max`.
absl::StatusOr<JsonDocument> parse_input(const Pipeline& pipeline, std::string_view text,
                                         size_t bytes_max);

}  // namespace fermata

// Resource names (AIP-122): "jobs/{id}", "pipelines/{id}". Stateless; any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace fermata::frontend {

// The id of a job name; a bare id is taken too. INVALID_ARGUMENT about `field` otherwise.
absl::StatusOr<std::string> job_id_of(std::string_view name, std::string_view field = "name");

// The id of a pipeline name, likewise: 1 to 128 printable characters without '/'.
absl::StatusOr<std::string> pipeline_id_of(std::string_view name, std::string_view field = "name");

}  // namespace fermata::frontend

// The stages' work as plain functions from JSON to JSON: they run on the loop for small values and
// on the offload pool for large ones. Any thread.
#ifndef FERMATA_PLUGINS_JSON_JSON_STAGES_H_
#define FERMATA_PLUGINS_JSON_JSON_STAGES_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/config/json.h"

namespace fermata::json {

// {value, pointer, pointers, default}: what JSON Pointers (RFC 6901) find in a value.
absl::StatusOr<std::string> pick(std::string_view input);

// {values}: JSON Merge Patch (RFC 7386) of all of them, from left to right.
absl::StatusOr<std::string> merge(std::string_view input);

// MergePatch(target, patch) of RFC 7386 section 2; `patch` may live in another document.
void merge_patch(JsonValue& target, const JsonValue& patch, JsonAllocator& allocator);

}  // namespace fermata::json

#endif  // FERMATA_PLUGINS_JSON_JSON_STAGES_H_

// InputCheck: JSON text against a schema, with the schema's defaults filled in.
//
// Without a schema the text passes unread. With one it is parsed once here, before the plugin sees
// it, so that a stage author can rely on what the schema says. Immutable; any thread.
#ifndef SERVICES_STAGES_INPUT_CHECK_H_
#define SERVICES_STAGES_INPUT_CHECK_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/config/json_schema.h"

namespace fermata {

// Compiles a schema text; empty gives null, which accepts anything.
absl::StatusOr<std::shared_ptr<const JsonSchema>> compile_schema(std::string_view text);

// The text with defaults filled in: unchanged when there were none to fill. INVALID_ARGUMENT says
// where it is wrong.
absl::StatusOr<std::string> check_json(const JsonSchema* schema, std::string text);

}  // namespace fermata

#endif  // SERVICES_STAGES_INPUT_CHECK_H_

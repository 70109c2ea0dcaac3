#include "services/stages/input_check.h"

#include <utility>

namespace fermata {

absl::StatusOr<std::shared_ptr<const JsonSchema>> compile_schema(std::string_view text) {
  if (text.empty()) return std::shared_ptr<const JsonSchema>();
  return JsonSchema::compile(text);
}

absl::StatusOr<std::string> check_json(const JsonSchema* schema, std::string text) {
  if (schema == nullptr) return text;
  absl::StatusOr<JsonDocument> document = parse_json(text);
  if (!document.ok()) return document.status();
  if (absl::Status filled = schema->fill_defaults(*document, document->GetAllocator());
      !filled.ok()) {
    return filled;
  }
  if (absl::Status valid = schema->validate(*document); !valid.ok()) return valid;
  return to_json(*document);
}

}  // namespace fermata

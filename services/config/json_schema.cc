#include "services/config/json_schema.h"

#include <utility>

#include "services/config/schema_node.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {

std::string SchemaViolation::message() const {
  std::string where = pointer.empty() ? "the value" : utf8_preview(pointer, 200);
  return str_cat(where, ": expected ", expected, ", got ", got, " (", keyword, ")");
}

JsonSchema::JsonSchema() = default;
JsonSchema::~JsonSchema() = default;

absl::StatusOr<std::shared_ptr<const JsonSchema>> JsonSchema::compile(std::string_view text,
                                                                      const SchemaLimits& limits) {
  absl::StatusOr<JsonDocument> document = parse_json(text, {.bytes = size_t{1} << 20});
  if (!document.ok()) {
    return absl::InvalidArgumentError(str_cat("the schema: ", document.status().message()));
  }
  std::shared_ptr<JsonSchema> schema(new JsonSchema);
  schema->text_ = to_json(*document);
  schema->document_ = std::move(*document);
  size_t patterns = 0;
  absl::Status status = compile_schema(schema->document_, limits, &schema->nodes_, &patterns);
  if (!status.ok()) return status;
  // The text is there twice, and once more as values and names.
  schema->bytes_ = 4 * schema->text_.size() + schema->nodes_.size() * sizeof(SchemaNode) +
                   patterns * static_cast<size_t>(limits.pattern_bytes);
  return schema;
}

absl::StatusOr<std::shared_ptr<const JsonSchema>> JsonSchema::compile(const JsonValue& schema,
                                                                      const SchemaLimits& limits) {
  return compile(to_json(schema), limits);
}

absl::Status JsonSchema::validate(const JsonValue& value) const {
  std::optional<SchemaViolation> violation = find_violation(value);
  return violation ? absl::InvalidArgumentError(violation->message()) : absl::OkStatus();
}

JsonTypes json_type_bit(const JsonValue& value) {
  switch (value.GetType()) {
    case rapidjson::kNullType:
      return kJsonNull;
    case rapidjson::kFalseType:
    case rapidjson::kTrueType:
      return kJsonBoolean;
    case rapidjson::kObjectType:
      return kJsonObject;
    case rapidjson::kArrayType:
      return kJsonArray;
    case rapidjson::kStringType:
      return kJsonString;
    case rapidjson::kNumberType:
      break;
  }
  return value.IsDouble() ? kJsonFraction : kJsonInteger;
}

}  // namespace fermata

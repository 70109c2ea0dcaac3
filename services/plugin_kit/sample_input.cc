// A value made from the words of a schema, for stages that come without samples.
#include <algorithm>
#include <string>

#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/subject.h"

namespace fermata::kit {
namespace {

constexpr int kMaxDepth = 8;

std::string value_of(const JsonValue& schema, int depth);

int64_t number(const JsonValue& schema, std::string_view keyword, int64_t otherwise) {
  const JsonValue* value = find_member(schema, keyword);
  return value != nullptr && value->IsInt64() ? value->GetInt64() : otherwise;
}

std::string object_of(const JsonValue& schema, int depth) {
  const JsonValue* required = find_member(schema, "required");
  const JsonValue* properties = find_member(schema, "properties");
  std::string out = "{";
  if (required != nullptr && required->IsArray()) {
    for (const JsonValue& name : required->GetArray()) {
      if (!name.IsString()) continue;
      const JsonValue* property =
          properties == nullptr ? nullptr : find_member(*properties, as_string_view(name));
      str_append(&out, out.size() > 1 ? "," : "", json_quote(as_string_view(name)), ":",
                 property == nullptr ? "null" : value_of(*property, depth + 1));
    }
  }
  // "One of these sets of members": the first is as good as any.
  for (const char* keyword : {"oneOf", "anyOf"}) {
    const JsonValue* choices = find_member(schema, keyword);
    if (choices == nullptr || !choices->IsArray() || choices->Empty()) continue;
    const JsonValue* needed = find_member((*choices)[0], "required");
    if (needed == nullptr || !needed->IsArray() || properties == nullptr) continue;
    for (const JsonValue& name : needed->GetArray()) {
      const JsonValue* property =
          name.IsString() ? find_member(*properties, as_string_view(name)) : nullptr;
      if (property == nullptr) continue;
      str_append(&out, out.size() > 1 ? "," : "", json_quote(as_string_view(name)), ":",
                 value_of(*property, depth + 1));
    }
  }
  return out + "}";
}

std::string array_of(const JsonValue& schema, int depth) {
  const int64_t count = std::clamp<int64_t>(number(schema, "minItems", 0), 0, 100);
  const JsonValue* items = find_member(schema, "items");
  std::string out = "[";
  for (int64_t i = 0; i < count; ++i) {
    str_append(&out, i > 0 ? "," : "",
               items != nullptr && items->IsObject() ? value_of(*items, depth + 1) : "null");
  }
  return out + "]";
}

std::string value_of(const JsonValue& schema, int depth) {
  if (!schema.IsObject() || depth > kMaxDepth) return "null";
  if (const JsonValue* given = find_member(schema, "default")) return to_json(*given);
  if (const JsonValue* choices = find_member(schema, "enum");
      choices != nullptr && choices->IsArray() && !choices->Empty()) {
    return to_json((*choices)[0]);
  }
  const JsonValue* type = find_member(schema, "type");
  if (type != nullptr && type->IsArray() && !type->Empty()) type = &(*type)[0];
  const std::string_view name =
      type != nullptr && type->IsString() ? as_string_view(*type) : std::string_view();
  if (name == "object" || (name.empty() && find_member(schema, "properties") != nullptr)) {
    return object_of(schema, depth);
  }
  if (name == "array") return array_of(schema, depth);
  if (name == "string") {
    const int64_t length = std::clamp<int64_t>(number(schema, "minLength", 1), 1, 4096);
    return json_quote(std::string(static_cast<size_t>(length), '1'));
  }
  if (name == "integer" || name == "number") return str_cat(number(schema, "minimum", 1));
  if (name == "boolean") return "false";
  for (const char* keyword : {"oneOf", "anyOf"}) {
    const JsonValue* any = find_member(schema, keyword);
    if (any != nullptr && any->IsArray() && !any->Empty()) return value_of((*any)[0], depth + 1);
  }
  return "null";
}

}  // namespace

std::string sample_of_schema(std::string_view schema) {
  if (schema.empty()) return "null";
  const absl::StatusOr<JsonDocument> document = parse_json(schema);
  return document.ok() ? value_of(*document, 0) : "null";
}

}  // namespace fermata::kit

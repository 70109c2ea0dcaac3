#include "plugins/json/json_stages.h"
#include "plugins/sdk/fields.h"

namespace fermata::json {

// Recursion is bounded: parse_json() refuses values nested deeper than JsonLimits::depth.
void merge_patch(JsonValue& target, const JsonValue& patch, JsonAllocator& allocator) {
  if (!patch.IsObject()) {
    target.CopyFrom(patch, allocator);
    return;
  }
  if (!target.IsObject()) target.SetObject();
  for (const auto& member : patch.GetObject()) {
    const auto found = target.FindMember(member.name);
    const bool there = found != target.MemberEnd();
    if (member.value.IsNull()) {
      if (there) target.EraseMember(found);
    } else if (there) {
      merge_patch(found->value, member.value, allocator);
    } else {
      JsonValue name(member.name, allocator);
      JsonValue value;
      merge_patch(value, member.value, allocator);
      target.AddMember(name, value, allocator);
    }
  }
}

absl::StatusOr<std::string> merge(std::string_view input) {
  absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  const JsonValue* values = fields.any("values");
  if (values == nullptr || !values->IsArray() || values->Empty()) {
    fields.complain("values", "expected an array of at least one value");
  }
  if (!fields.status().ok()) return fields.status();

  // The first value is where merging starts, taken as it is: a null in it is data, not a removal.
  JsonDocument merged;
  merged.CopyFrom((*values)[0], merged.GetAllocator());
  for (rapidjson::SizeType i = 1; i < values->Size(); ++i) {
    merge_patch(merged, (*values)[i], merged.GetAllocator());
  }
  return to_json(merged);
}

}  // namespace fermata::json

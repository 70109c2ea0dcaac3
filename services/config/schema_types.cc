// Which types can a valid value have at some place? Asked at load, of references into the input.
#include "absl/strings/numbers.h"
#include "services/config/schema_node.h"

namespace fermata {
namespace {

class TypeFinder {
 public:
  explicit TypeFinder(absl::Span<const std::string> path) : path_(path) {}

  JsonTypes find(const SchemaNode& any, size_t depth) {
    if (--budget_ < 0) return kJsonAny;  // "cannot tell"
    const SchemaNode& schema = any.target();
    JsonTypes types = depth == path_.size() ? here(schema) : below(schema, depth);
    for (const SchemaNode* all : schema.all_of) types &= find(*all, depth);
    for (const auto* list : {&schema.any_of, &schema.one_of}) {
      if (list->empty()) continue;
      JsonTypes some = 0;
      for (const SchemaNode* alternative : *list) some |= find(*alternative, depth);
      types &= some;
    }
    return types;
  }

 private:
  static JsonTypes here(const SchemaNode& schema) {
    if (schema.enumeration == nullptr) return schema.types;
    JsonTypes types = 0;
    for (const JsonValue& value : schema.enumeration->GetArray()) types |= json_type_bit(value);
    return types & schema.types;
  }

  JsonTypes below(const SchemaNode& schema, size_t depth) {
    const std::string& name = path_[depth];
    JsonTypes types = 0;
    if ((schema.types & kJsonArray) != 0) types |= item(schema, name, depth);
    if ((schema.types & kJsonObject) != 0 && name != "*") types |= member(schema, name, depth);
    return types;
  }

  JsonTypes item(const SchemaNode& schema, const std::string& name, size_t depth) {
    uint64_t index = 0;
    bool any = name == "*";
    if (!any && !absl::SimpleAtoi(name, &index)) return 0;
    if (!any && index >= schema.max_items) return 0;
    if (!schema.is_tuple)
      return schema.items == nullptr ? kJsonAny : find(*schema.items, depth + 1);
    if (any) return kJsonAny;
    if (index < schema.tuple.size()) return find(*schema.tuple[index], depth + 1);
    if (schema.no_more_items) return 0;
    return schema.more_items == nullptr ? kJsonAny : find(*schema.more_items, depth + 1);
  }

  JsonTypes member(const SchemaNode& schema, const std::string& name, size_t depth) {
    JsonTypes types = kJsonAny;
    bool known = false;
    if (auto property = schema.property.find(name); property != schema.property.end()) {
      known = true;
      types &= find(*property->second, depth + 1);
    }
    for (const auto& pattern : schema.pattern_properties) {
      if (!schema_pattern_matches(*pattern.pattern, name)) continue;
      known = true;
      types &= find(*pattern.schema, depth + 1);
    }
    if (known) return types;
    if (schema.no_more_properties) return 0;
    return schema.more_properties == nullptr ? kJsonAny : find(*schema.more_properties, depth + 1);
  }

  absl::Span<const std::string> path_;
  int budget_ = 100000;
};

}  // namespace

JsonTypes JsonSchema::types_at(absl::Span<const std::string> path) const {
  return TypeFinder(path).find(*nodes_[0], 0);
}

}  // namespace fermata

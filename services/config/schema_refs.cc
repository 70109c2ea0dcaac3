// $ref: where it points, and that following it ends.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "services/config/schema_node.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

// Subschemas that look at the same value, one inside the other ($ref, allOf, ...).
constexpr int kMaxInPlace = 32;

using Depths = absl::flat_hash_map<const SchemaNode*, int>;

int in_place_depth(const SchemaNode* node, int left, Depths& known) {
  if (left == 0) return kMaxInPlace + 1;
  auto [entry, fresh] = known.try_emplace(node, kMaxInPlace + 1);  // until it is known: a circle
  if (!fresh) return entry->second;
  int deepest = 0;
  auto look = [&](const SchemaNode* inner) {
    if (inner == nullptr || deepest > kMaxInPlace) return;
    deepest = std::max(deepest, in_place_depth(inner, left - 1, known));
  };
  look(node->ref);
  look(node->negated);
  for (const auto* list : {&node->all_of, &node->any_of, &node->one_of}) {
    for (const SchemaNode* inner : *list) look(inner);
  }
  for (const auto& dependency : node->dependencies) look(dependency.schema);
  known[node] = deepest + 1;
  return deepest + 1;
}

// A reference is a URI: %25 is '%'. What is no escape stays as it is.
std::string percent_decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto hex = [&](size_t at) { return at < text.size() && absl::ascii_isxdigit(text[at]); };
    if (text[i] == '%' && hex(i + 1) && hex(i + 2)) {
      out += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace

const JsonValue* follow_schema_ref(const JsonValue& document, const std::string& encoded) {
  std::string ref = percent_decoded(encoded);
  if (ref.empty() || ref[0] != '#') return nullptr;
  const JsonValue* at = &document;
  size_t begin = 1;
  while (at != nullptr && begin < ref.size()) {
    if (ref[begin] != '/') return nullptr;
    size_t end = std::min(ref.find('/', begin + 1), ref.size());
    std::string name;
    for (size_t i = begin + 1; i < end; ++i) {
      bool escape = ref[i] == '~' && i + 1 < end && (ref[i + 1] == '0' || ref[i + 1] == '1');
      name.push_back(!escape ? ref[i] : ref[++i] == '0' ? '~' : '/');
    }
    uint64_t index = 0;
    if (at->IsArray()) {
      bool valid = absl::SimpleAtoi(name, &index) && index < at->Size();
      at = valid ? &(*at)[static_cast<unsigned>(index)] : nullptr;
    } else {
      at = find_member(*at, name);
    }
    begin = end;
  }
  return at;
}

// A schema that asks about a value whether it matches that same schema would never come to an
// answer.
absl::Status check_schema_circles(const std::vector<std::unique_ptr<SchemaNode>>& nodes) {
  Depths known;
  for (const auto& node : nodes) {
    if (in_place_depth(node.get(), kMaxInPlace + 1, known) > kMaxInPlace) {
      return absl::InvalidArgumentError(
          str_cat("the schema: expected at most ", kMaxInPlace,
                  " schemas inside each other ($ref, allOf, anyOf, oneOf, not) for one value, got "
                  "more, or a $ref circle"));
    }
  }
  return absl::OkStatus();
}

}  // namespace fermata

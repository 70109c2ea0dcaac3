#pragma once

// The inside of a JsonSchema: one node per subschema, keywords checked and ready to use. Private to
// the schema_*.cc files. Nodes point at each other (a $ref may point up) and into the schema's
// document; the JsonSchema owns both.

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "re2/re2.h"
#include "services/config/json_schema.h"

namespace fermata {

struct SchemaNode {
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  struct Property {
    std::string_view name;
    const SchemaNode* schema;
  };
  struct PatternProperty {
    std::unique_ptr<re2::RE2> pattern;
    const SchemaNode* schema;
  };
  struct Dependency {  // an object with `name` must have `names`, or match `schema`
    std::string_view name;
    std::vector<std::string_view> names;
    const SchemaNode* schema = nullptr;
  };

  const SchemaNode* ref = nullptr;  // draft 4: beside a $ref nothing else counts

  JsonTypes types = kJsonAny;
  const JsonValue* enumeration = nullptr;  // an array
  const JsonValue* default_value = nullptr;
  size_t default_bytes = 0;
  std::vector<const SchemaNode*> all_of, any_of, one_of;
  const SchemaNode* negated = nullptr;

  const JsonValue* minimum = nullptr;
  const JsonValue* maximum = nullptr;
  const JsonValue* multiple_of = nullptr;
  bool exclusive_minimum = false;
  bool exclusive_maximum = false;

  size_t min_length = 0;
  size_t max_length = kNoLimit;
  std::unique_ptr<re2::RE2> pattern;

  const SchemaNode* items = nullptr;     // of every item, or
  std::vector<const SchemaNode*> tuple;  // of the first ones, and then
  bool is_tuple = false;
  const SchemaNode* more_items = nullptr;  // of the others, unless
  bool no_more_items = false;
  size_t min_items = 0;
  size_t max_items = kNoLimit;
  bool unique_items = false;

  std::vector<Property> properties;  // as they are written
  absl::flat_hash_map<std::string_view, const SchemaNode*> property;
  std::vector<PatternProperty> pattern_properties;
  const SchemaNode* more_properties = nullptr;
  bool no_more_properties = false;
  std::vector<std::string_view> required;
  std::vector<Dependency> dependencies;
  size_t min_properties = 0;
  size_t max_properties = kNoLimit;

  // The node that counts: past any $ref. The compiler made sure that there is no circle.
  const SchemaNode& target() const {
    const SchemaNode* node = this;
    while (node->ref != nullptr) node = node->ref;
    return *node;
  }
};

// Does `pattern` match anywhere in `text`?
inline bool schema_pattern_matches(const re2::RE2& pattern, std::string_view text) {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

// Compiles into document and nodes; INVALID_ARGUMENT names the place. nodes[0] is the root.
// `patterns` says how many there are.
absl::Status compile_schema(const JsonValue& schema, const SchemaLimits& limits,
                            std::vector<std::unique_ptr<SchemaNode>>* nodes, size_t* patterns);

// "" when a schema may have a keyword of this name that the compiler does not use, else what is
// wrong.
std::string unknown_keyword_problem(std::string_view name);

// The value that "#/a/b" points at, or null.
const JsonValue* follow_schema_ref(const JsonValue& document, const std::string& ref);

// INVALID_ARGUMENT when validating one value could go round in circles.
absl::Status check_schema_circles(const std::vector<std::unique_ptr<SchemaNode>>& nodes);

// The bit of a value's type.
JsonTypes json_type_bit(const JsonValue& value);

}  // namespace fermata

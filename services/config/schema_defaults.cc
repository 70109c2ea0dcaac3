// Adds what a value leaves out and its schema has a `default` for.
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/config/schema_node.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

// A default of a kilobyte in every item of a large array would be a cheap way to use up the memory.
constexpr size_t kMaxAddedBytes = size_t{16} << 20;
// To look for a name in an object is a walk over its members: in a larger one, a set is made of
// them.
constexpr unsigned kFewMembers = 16;
// Steps of the budget for each member: that is looked at, and that is put into the set of names.
constexpr int64_t kStepsToLook = 1;
constexpr int64_t kStepsToName = 2;

class Filler {
 public:
  explicit Filler(JsonAllocator& allocator) : allocator_(allocator) {}

  absl::Status fill(const SchemaNode& any, JsonValue& value) {
    if (!spend(1)) return absl::ResourceExhaustedError("the schema's defaults take too long");
    const SchemaNode& schema = any.target();
    absl::Status status;
    for (const SchemaNode* all : schema.all_of) {
      if (status.ok()) status = fill(*all, value);
    }
    if (value.IsObject() && status.ok()) status = fill_object(schema, value);
    if (value.IsArray() && status.ok()) status = fill_array(schema, value);
    return status;
  }

 private:
  bool spend(int64_t steps) {
    budget_ -= steps;
    return budget_ >= 0;
  }

  // Those with a default that the object does not have, each once.
  std::vector<const SchemaNode::Property*> missing(const SchemaNode& schema,
                                                   const JsonValue& value) {
    std::vector<const SchemaNode::Property*> missing;
    absl::flat_hash_set<std::string_view> names;
    const bool large = value.MemberCount() > kFewMembers;
    for (const SchemaNode::Property& property : schema.properties) {
      if (property.schema->target().default_value == nullptr) continue;
      if (large && names.empty()) {
        for (const auto& member : value.GetObject()) names.insert(as_string_view(member.name));
        spend(kStepsToName * value.MemberCount());
      }
      const bool known =
          large ? names.contains(property.name) : find_member(value, property.name) != nullptr;
      if (!known) missing.push_back(&property);
    }
    return missing;
  }

  absl::Status fill_object(const SchemaNode& schema, JsonValue& value) {
    if (schema.properties.empty()) return absl::OkStatus();
    spend(kStepsToLook * value.MemberCount());
    // Members first: what is added below is complete as it is, and filling it could go on for ever.
    for (auto& member : value.GetObject()) {
      auto property = schema.property.find(as_string_view(member.name));
      if (property == schema.property.end()) continue;
      absl::Status status = fill(*property->second, member.value);
      if (!status.ok()) return status;
    }
    for (const SchemaNode::Property* const property : missing(schema, value)) {
      const SchemaNode& node = property->schema->target();
      added_ += node.default_bytes + property->name.size() + sizeof(JsonValue);
      if (added_ > kMaxAddedBytes) {
        return absl::ResourceExhaustedError(
            str_cat("expected the schema's defaults to add at most ", kMaxAddedBytes >> 20,
                    "MiB to the value, got more"));
      }
      const auto size = static_cast<unsigned>(property->name.size());
      JsonValue name(property->name.data(), size, allocator_);
      value.AddMember(name, JsonValue(*node.default_value, allocator_), allocator_);
    }
    return absl::OkStatus();
  }

  absl::Status fill_array(const SchemaNode& schema, JsonValue& value) {
    for (unsigned i = 0; i < value.Size(); ++i) {
      const SchemaNode* item = schema.items;
      if (schema.is_tuple) item = i < schema.tuple.size() ? schema.tuple[i] : schema.more_items;
      if (item == nullptr) continue;
      absl::Status status = fill(*item, value[i]);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  JsonAllocator& allocator_;
  size_t added_ = 0;
  int64_t budget_ = 10'000'000;
};

}  // namespace

absl::Status JsonSchema::fill_defaults(JsonValue& value, JsonAllocator& allocator) const {
  return Filler(allocator).fill(*nodes_[0], value);
}

}  // namespace fermata

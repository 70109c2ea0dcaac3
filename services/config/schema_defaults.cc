// Adds what a value leaves out and its schema has a `default` for.
#include "services/config/schema_node.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

// A default of a kilobyte in every item of a large array would be a cheap way to use up the memory.
constexpr size_t kMaxAddedBytes = size_t{16} << 20;

class Filler {
 public:
  explicit Filler(JsonAllocator& allocator) : allocator_(allocator) {}

  absl::Status fill(const SchemaNode& any, JsonValue& value) {
    if (--budget_ < 0) return absl::ResourceExhaustedError("the schema's defaults take too long");
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
  absl::Status fill_object(const SchemaNode& schema, JsonValue& value) {
    // Members first: what is added below is complete as it is, and filling it could go on for ever.
    for (auto& member : value.GetObject()) {
      auto property = schema.property.find(as_string_view(member.name));
      if (property == schema.property.end()) continue;
      absl::Status status = fill(*property->second, member.value);
      if (!status.ok()) return status;
    }
    for (const auto& property : schema.properties) {
      const SchemaNode& node = property.schema->target();
      if (node.default_value == nullptr || find_member(value, property.name) != nullptr) continue;
      added_ += node.default_bytes + property.name.size() + sizeof(JsonValue);
      if (added_ > kMaxAddedBytes) {
        return absl::ResourceExhaustedError(
            str_cat("expected the schema's defaults to add at most ", kMaxAddedBytes >> 20,
                    "MiB to the value, got more"));
      }
      JsonValue name(property.name.data(), static_cast<unsigned>(property.name.size()), allocator_);
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

#pragma once

// A compiled JSON Schema (draft 4), safe with schemas and values from strangers.
//
// Every keyword's type is checked when it is compiled, every $ref is resolved (only inside the
// document), patterns are RE2 (linear time), and a validation has a budget of steps, so neither a
// hostile schema nor a hostile value can hang or crash the server. README.md says why RapidJSON's
// own validator is not used. Not supported, and refused: $ref to other documents, `format` is
// ignored.
//
// Immutable after compile(): any number of threads may validate with one schema at a time.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "services/config/json.h"

namespace fermata {

struct SchemaNode;

// What is wrong, in parts, so that a front end can name the field: "/urls/3", "type", "string",
// "17".
struct SchemaViolation {
  std::string pointer;  // into the value; empty: the value itself
  std::string keyword;
  std::string expected;
  std::string got;

  // "/urls/3: expected string, got 17 (type)"; the root is called "the value".
  std::string message() const;
};

// The types a value may have, as bits.
using JsonTypes = unsigned;
inline constexpr JsonTypes kJsonNull = 1, kJsonBoolean = 2, kJsonInteger = 4, kJsonFraction = 8,
                           kJsonString = 16, kJsonArray = 32, kJsonObject = 64, kJsonAny = 127;

// How much a schema may come to hold: its patterns grow while they are used.
struct SchemaLimits {
  size_t patterns = 200;
  int64_t pattern_bytes = 1 << 20;  // of one

  // For a schema that comes with a request, and is held with many others.
  static constexpr SchemaLimits of_strangers() { return {16, 64 << 10}; }
};

class JsonSchema {
 public:
  // INVALID_ARGUMENT names the place in the schema: "/properties/a/type: expected ..., got ...".
  static absl::StatusOr<std::shared_ptr<const JsonSchema>> compile(std::string_view text,
                                                                   const SchemaLimits& limits = {});
  static absl::StatusOr<std::shared_ptr<const JsonSchema>> compile(const JsonValue& schema,
                                                                   const SchemaLimits& limits = {});

  // Places in a value that are not known yet (a template's references): they count as valid.
  using Unknown = absl::flat_hash_set<const JsonValue*>;

  // The first violation, in document order, or nothing.
  std::optional<SchemaViolation> find_violation(const JsonValue& value,
                                                const Unknown* unknown = nullptr) const;
  // The same as INVALID_ARGUMENT with the violation's message.
  absl::Status validate(const JsonValue& value) const;

  // Adds absent members that have a `default`, also inside members and array items that exist.
  // RESOURCE_EXHAUSTED when they would add more than 16 MiB.
  absl::Status fill_defaults(JsonValue& value, JsonAllocator& allocator) const;

  // Which types a valid value may have at `path` (names, or numbers as text, or "*" for any item);
  // 0 when no valid value has anything there. Errs on the side of kJsonAny.
  JsonTypes types_at(absl::Span<const std::string> path) const;

  // The schema as it was given, compact.
  const std::string& text() const { return text_; }

  // What it may come to hold, roughly.
  size_t bytes() const { return bytes_; }

  ~JsonSchema();
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

 private:
  JsonSchema();

  std::string text_;
  size_t bytes_ = 0;
  JsonDocument document_;  // owns what enum, default and names point at
  std::vector<std::unique_ptr<SchemaNode>>
      nodes_;  // nodes_[0] is the root; they point at each other
};

}  // namespace fermata

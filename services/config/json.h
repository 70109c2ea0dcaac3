#pragma once

// The one place that turns text from outside into JSON values.
//
// RapidJSON asserts on misuse and takes a few things JSON does not allow (lone low surrogates, the
// same key twice), so nobody else calls its parser. parse_json() takes any bytes at all: it checks
// size, UTF-8, nesting depth, duplicate keys and trailing data, and answers with an error that
// names line and column. It never throws and never aborts.
//
// Values are plain memory: one thread at a time, or many that only read.

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rapidjson/document.h"

namespace fermata {

using JsonDocument = rapidjson::Document;
using JsonValue = rapidjson::Value;
using JsonAllocator = rapidjson::Document::AllocatorType;

struct JsonLimits {
  size_t bytes = size_t{64} << 20;
  // Arrays and objects inside each other; evaluation and printing recurse. One number for all: what
  // one room takes, the next one must not refuse.
  int depth = 200;
};

// INVALID_ARGUMENT for text that is not JSON ("line 1, column 8: expected ',' or '}', got ..."),
// RESOURCE_EXHAUSTED for text above limits.bytes.
absl::StatusOr<JsonDocument> parse_json(std::string_view text, const JsonLimits& limits = {});

// Compact JSON text. append_json() adds to `out`.
std::string to_json(const JsonValue& value);
void append_json(const JsonValue& value, std::string* out);

// A JSON string with its quotes: json_quote("a\"b") is "\"a\\\"b\"". append_json_escaped() adds the
// inside of one, without the quotes.
std::string json_quote(std::string_view text);
void append_json_escaped(std::string_view text, std::string* out);

// For error messages: "null", "boolean", "integer", "number", "string", "array", "object".
std::string_view json_type_name(const JsonValue& value);
// The value as one short line of valid UTF-8, cut to about `max` bytes: `"long te..."`.
std::string json_preview(const JsonValue& value, size_t max = 60);

// One step of a JSON Pointer (RFC 6901) with '~' and '/' escaped, and a whole one parsed into
// steps.
std::string json_pointer_step(std::string_view name);

// The member called `name`, or null when there is none or `object` is not an object.
const JsonValue* find_member(const JsonValue& object, std::string_view name);

inline std::string_view as_string_view(const JsonValue& string) {
  return {string.GetString(), string.GetStringLength()};
}

}  // namespace fermata

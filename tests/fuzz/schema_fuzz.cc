// A JSON Schema, then a line break, then a value: neither may hang or crash the server. Filling in
// defaults does not change what a second filling would give.
#include <string>

#include "services/config/json.h"
#include "services/config/json_schema.h"
#include "services/config/utf8.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Halves halves = fuzz::split(fuzz::text_of(data, size), '\n');
  const auto schema = JsonSchema::compile(halves.first);
  if (!schema.ok()) {
    FUZZ_CHECK(fuzz::readable(schema.status()));
    return 0;
  }
  FUZZ_CHECK(JsonSchema::compile((*schema)->text()).ok());
  absl::StatusOr<JsonDocument> value = parse_json(halves.second);
  if (!value.ok()) return 0;
  const std::optional<SchemaViolation> violation = (*schema)->find_violation(*value);
  FUZZ_CHECK((*schema)->validate(*value).ok() == !violation.has_value());
  if (violation.has_value()) FUZZ_CHECK(is_utf8(violation->message()));
  if (!(*schema)->fill_defaults(*value, value->GetAllocator()).ok()) return 0;
  const std::string filled = to_json(*value);
  FUZZ_CHECK((*schema)->fill_defaults(*value, value->GetAllocator()).ok());
  FUZZ_CHECK(to_json(*value) == filled);
  return 0;
}

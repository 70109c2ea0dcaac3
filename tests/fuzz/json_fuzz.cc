// JSON text: what is taken can be printed and read again, and is the same then.
#include <string>

#include "services/config/json.h"
#include "services/config/utf8.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const absl::StatusOr<JsonDocument> value = parse_json(text);
  if (!value.ok()) {
    FUZZ_CHECK(fuzz::readable(value.status()));
    return 0;
  }
  FUZZ_CHECK(is_utf8(text));
  const std::string printed = to_json(*value);
  const absl::StatusOr<JsonDocument> again = parse_json(printed);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(to_json(*again) == printed);
  FUZZ_CHECK(is_utf8(json_preview(*value)));
  return 0;
}

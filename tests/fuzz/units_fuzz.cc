// Durations and sizes as people write them: what is taken can be written and means the same again.
#include <string>

#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const absl::StatusOr<absl::Duration> duration = parse_duration(text);
  if (duration.ok()) {
    FUZZ_CHECK(*duration >= absl::ZeroDuration());
    const absl::StatusOr<absl::Duration> again = parse_duration(format_duration(*duration));
    FUZZ_CHECK(again.ok() && *again == *duration);
  } else {
    FUZZ_CHECK(fuzz::readable(duration.status()));
  }
  const absl::StatusOr<uint64_t> bytes = parse_bytes(text);
  if (bytes.ok()) {
    const absl::StatusOr<uint64_t> again = parse_bytes(format_bytes(*bytes));
    FUZZ_CHECK(again.ok() && *again == *bytes);
  } else {
    FUZZ_CHECK(fuzz::readable(bytes.status()));
  }
  return 0;
}

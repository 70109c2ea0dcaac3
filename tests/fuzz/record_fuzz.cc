// A stored job's bytes. Given twice: as they are, and with the checksum that belongs to them, so
// that what is behind the checksum is reached too.
#include <zlib.h>

#include <string>

#include "services/store/record_codec.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

namespace {

void try_record(const std::string& bytes) {
  const absl::StatusOr<JobView> record = decode_record(bytes);
  if (!record.ok()) {
    FUZZ_CHECK(fuzz::readable(record.status()));
    return;
  }
  // What was taken is written again as a record that means the same.
  const std::string written = encode_record(**record);
  const absl::StatusOr<JobView> again = decode_record(written);
  FUZZ_CHECK(again.ok() && encode_record(**again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(fuzz::text_of(data, size));
  try_record(bytes);
  const auto sum = static_cast<uint32_t>(crc32_z(0, data, size));
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(sum >> shift));
  try_record(bytes);
  return 0;
}

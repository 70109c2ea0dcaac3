#include "services/store/record_bytes.h"

#include <limits>

namespace fermata {

void RecordWriter::number(uint64_t value) {
  while (value >= 0x80) {
    byte(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  byte(static_cast<uint8_t>(value));
}

void RecordWriter::text(std::string_view value) {
  number(value.size());
  out_.append(value);
}

uint8_t RecordReader::byte() {
  if (failed_ || in_.empty()) {
    failed_ = true;
    return 0;
  }
  const uint8_t value = static_cast<uint8_t>(in_.front());
  in_.remove_prefix(1);
  return value;
}

uint64_t RecordReader::number() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t next = byte();
    // The tenth byte has room for one bit only.
    if (shift == 63 && next > 1) break;
    value |= static_cast<uint64_t>(next & 0x7f) << shift;
    if ((next & 0x80) == 0) return failed_ ? 0 : value;
  }
  failed_ = true;
  return 0;
}

int64_t RecordReader::signed_number() {
  const uint64_t value = number();
  return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
}

std::string RecordReader::text() {
  const uint64_t size = number();
  if (failed_ || size > in_.size()) {
    failed_ = true;
    return std::string();
  }
  std::string value(in_.substr(0, size));
  in_.remove_prefix(size);
  return value;
}

absl::Time RecordReader::time() {
  const int64_t ns = signed_number();
  if (ns == std::numeric_limits<int64_t>::max()) return absl::InfiniteFuture();
  if (ns == std::numeric_limits<int64_t>::min()) return absl::InfinitePast();
  return absl::FromUnixNanos(ns);
}

size_t RecordReader::count() {
  const uint64_t value = number();
  if (value > in_.size()) failed_ = true;
  return failed_ ? 0 : static_cast<size_t>(value);
}

}  // namespace fermata

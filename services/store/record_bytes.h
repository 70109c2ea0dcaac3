// RecordWriter and RecordReader: the primitives of record_codec.h.
//
// The reader never reads past its end and never allocates more than what is there: after the first
// thing that cannot be it is failed(), and gives zeros and empty strings from then on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace fermata {

class RecordWriter {
 public:
  explicit RecordWriter(std::string& out) : out_(out) {}

  void byte(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void number(uint64_t value);
  void signed_number(int64_t value) {
    number(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  void text(std::string_view value);
  void time(absl::Time value) { signed_number(absl::ToUnixNanos(value)); }

 private:
  std::string& out_;
};

class RecordReader {
 public:
  explicit RecordReader(std::string_view in) : in_(in) {}

  uint8_t byte();
  uint64_t number();
  int64_t signed_number();
  std::string text();
  absl::Time time();
  // How many elements follow, of which each takes at least one byte.
  size_t count();
  // Says that what was read cannot be.
  void fail() { failed_ = true; }

  bool failed() const { return failed_; }
  size_t left() const { return in_.size(); }

 private:
  std::string_view in_;
  bool failed_ = false;
};

}  // namespace fermata

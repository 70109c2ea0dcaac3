// A fuzz target: one function that takes any bytes at all and either returns or shows a fault.
//
// Each *_fuzz.cc defines LLVMFuzzerTestOneInput and states, with FUZZ_CHECK, what must hold besides
// "does not crash": what was accepted can be written and read again, two ways to the same value
// agree, a refusal says something. fuzz.bzl builds each of them twice: as a test, which replays the
// corpus and a seeded number of mutations in every configuration, and under --config=fuzz as a
// libFuzzer program. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "absl/status/status.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fermata::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A refusal says something, in text that may be sent and logged.
inline bool readable(const absl::Status& status) {
  return !status.message().empty() && is_utf8(from_absl(status.message()));
}

// `text` up to the first byte `separator`, and what comes after it.
struct Halves {
  std::string_view first, second;
};
inline Halves split(std::string_view text, char separator) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace fermata::fuzz

#define FUZZ_CHECK(condition)                                                             \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

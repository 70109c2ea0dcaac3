// The hash by which a request id is found: part of the file's format, and not to be forged, so that
// nobody can make one lookup read many rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/config/sha256.h"

namespace fermata {

inline int64_t request_hash(std::string_view request_id) {
  const std::array<uint8_t, 32> digest = sha256(request_id);
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof hash; ++i) hash = hash << 8 | digest[i];
  return static_cast<int64_t>(hash);
}

}  // namespace fermata

#pragma once

// SHA-256 (FIPS 180-4) for content hashes: the version of a pipeline, the name of a plugin's
// private copy. Not for passwords or signatures. Pure function, any thread.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fermata {

std::array<uint8_t, 32> sha256(std::string_view bytes);

// 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace fermata

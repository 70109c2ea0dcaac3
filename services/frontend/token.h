// Bearer tokens: fermata_<id>_<secret>, 16 and 64 hex digits.
//
// The id is public: it finds the entry in the tokens file, and names the token in audit lines. The
// secret is 256 random bits, so one SHA-256 is a sound way to keep it: a slow password hash defends
// guessable secrets, and nobody guesses this one; a slow hash per call would only help attackers
// who want the server busy. The hash is of the whole token.
//
// Pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace fermata::frontend {

using TokenHash = std::array<uint8_t, 32>;

struct NewToken {
  std::string token;  // shown once, to whoever will use it
  std::string id;
  std::string sha256;  // for the tokens file
};

// UNAVAILABLE when the system has no randomness to give.
absl::StatusOr<NewToken> make_token();

// The id of a well-formed token; nothing for any other text.
std::optional<std::string_view> token_id(std::string_view token);

// In a time that does not depend on where they differ.
bool same_hash(const TokenHash& a, const TokenHash& b);

// 64 hex digits, 16 hex digits: as they are written in a tokens file. Lower case.
std::optional<TokenHash> parse_token_hash(std::string_view hex);
bool is_token_id(std::string_view text);

}  // namespace fermata::frontend

// Page tokens (AIP-158): where a listing goes on, opaque and URL-safe.
//
// A token carries a fingerprint of the request's other fields, so a token used with another filter
// is refused instead of giving a page of something else. It grants nothing: whoever may list may
// list from anywhere. Stateless; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace fermata::frontend {

// `position` is the listing's own; `arguments` is all that must not change between pages.
std::string make_page_token(std::string_view position, std::string_view arguments);

// The position; "" for the empty token. The error says what is wrong; the caller names the field.
absl::StatusOr<std::string> read_page_token(std::string_view token, std::string_view arguments);

// 0 is `fallback`, above `most` is `most`; negative is an error.
absl::StatusOr<int32_t> read_page_size(int32_t asked, int32_t fallback, int32_t most);

}  // namespace fermata::frontend

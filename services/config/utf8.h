#pragma once

// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
// Pure functions, any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace fermata {

// The offset of the first byte that is not UTF-8; text.size() when all is.
size_t utf8_valid_prefix(std::string_view text);
inline bool is_utf8(std::string_view text) { return utf8_valid_prefix(text) == text.size(); }

// At most `max` bytes of `text`, never cutting a character in two; what is not UTF-8, and control
// characters, become '?'. For messages.
std::string utf8_preview(std::string_view text, size_t max);

// The line and column (both from 1, the column in characters) of the byte at `offset`.
struct TextPosition {
  size_t line = 1;
  size_t column = 1;
};
TextPosition text_position(std::string_view text, size_t offset);

}  // namespace fermata

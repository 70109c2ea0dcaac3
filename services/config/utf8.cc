#include "services/config/utf8.h"

#include <cstdint>
#include <cstring>

namespace fermata {
namespace {

// Bytes of the character that starts with `lead`, and the range its second byte must be in: the
// table 3-7 of the Unicode standard. 0: no character starts so.
struct Lead {
  int length;
  uint8_t low;
  uint8_t high;
};

Lead classify(uint8_t lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// The length of the character at `at`, 0 when there is no whole one.
size_t character_length(std::string_view text, size_t at) {
  Lead lead = classify(static_cast<uint8_t>(text[at]));
  size_t length = static_cast<size_t>(lead.length);
  if (length <= 1) return length;
  if (text.size() - at < length) return 0;
  uint8_t second = static_cast<uint8_t>(text[at + 1]);
  if (second < lead.low || second > lead.high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((static_cast<uint8_t>(text[at + i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

size_t utf8_valid_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    // Most text is ASCII: eight bytes at a time.
    while (text.size() - at >= 8) {
      uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      if (word & 0x8080808080808080u) break;
      at += 8;
    }
    if (at >= text.size()) break;
    size_t length = character_length(text, at);
    if (length == 0) return at;
    at += length;
  }
  return text.size();
}

std::string utf8_preview(std::string_view text, size_t max) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t length = character_length(text, at);
    bool plain = length > 1 || (length == 1 && text[at] >= 0x20 && text[at] != 0x7F);
    size_t take = plain ? length : 1;
    if (out.size() + take > max) return out + "...";
    if (plain) {
      out.append(text.substr(at, length));
    } else {
      out.push_back('?');
    }
    at += take;
  }
  return out;
}

TextPosition text_position(std::string_view text, size_t offset) {
  TextPosition position;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) {
      ++position.column;
    }
  }
  return position;
}

}  // namespace fermata

#include "services/cli/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "services/cli/cat.h"

namespace fermata::cli {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The character at the start of `text`, which is not empty.
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  uint32_t code = lead & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {};
  return {code, size, true};
}

int width_of(uint32_t code) {
  // Combining marks, joiners and variation selectors.
  if ((code >= 0x300 && code <= 0x36F) || (code >= 0x200B && code <= 0x200F) ||
      (code >= 0xFE00 && code <= 0xFE0F)) {
    return 0;
  }
  // Hangul Jamo, CJK, Hangul, full-width forms, emoji: the blocks that terminals draw wide.
  if ((code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
      (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
      (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
      (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD)) {
    return 2;
  }
  return 1;
}

bool is_control(uint32_t code) {
  const bool direction = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
         direction;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    if (character.valid && (character.code == '\n' || character.code == '\t')) {
      out += ' ';
    } else if (!character.valid || is_control(character.code)) {
      out += '?';
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return out;
}

int display_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    width += width_of(character.code);
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string fit(std::string_view text, int width) {
  if (display_width(text) <= width) return std::string(text);
  if (width <= 0) return "";
  std::string out;
  int used = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    used += width_of(character.code);
    if (used > width - 1) break;
    out += text.substr(0, character.bytes);
    text.remove_prefix(character.bytes);
  }
  return out + "…";
}

std::string pad_right(std::string_view text, int width) {
  return cat(text, std::string(std::max(0, width - display_width(text)), ' '));
}

std::string pad_left(std::string_view text, int width) {
  return cat(std::string(std::max(0, width - display_width(text)), ' '), text);
}

std::string duration_text(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return "-" + duration_text(-duration);
  if (duration == absl::InfiniteDuration()) return "forever";
  // Each step begins a little early, so that nothing is ever rounded up to "1000ms" or "60s".
  const int64_t ms = absl::ToInt64Milliseconds(duration);
  if (ms < 1000) return cat(ms, "ms");
  if (ms < 9950) return absl::StrFormat("%.1fs", absl::ToDoubleSeconds(duration));
  const int64_t seconds = ms / 1000;
  if (seconds < 60) return cat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  return absl::StrFormat("%dd%dh", seconds / 86400, seconds / 3600 % 24);
}

std::string ago_text(absl::Time then, absl::Time now) {
  const int64_t seconds = absl::ToInt64Seconds(now - then);
  const int64_t size = std::abs(seconds);
  if (size < 2) return "just now";
  std::string text = size < 60      ? cat(size, "s")
                     : size < 3600  ? cat(size / 60, "m")
                     : size < 86400 ? cat(size / 3600, "h")
                                    : cat(size / 86400, "d");
  return seconds > 0 ? text + " ago" : "in " + text;
}

std::string count_text(long long n, std::string_view noun) {
  return cat(n, " ", noun, n == 1 ? "" : "s");
}

}  // namespace fermata::cli

#include "services/config/bytes.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr Unit kUnits[] = {
    {"TiB", uint64_t{1} << 40},
    {"GiB", uint64_t{1} << 30},
    {"MiB", uint64_t{1} << 20},
    {"KiB", uint64_t{1} << 10},
    {"TB", 1000000000000},
    {"GB", 1000000000},
    {"MB", 1000000},
    {"KB", 1000},
    {"B", 1},
    {"", 1},
};

constexpr double kMost = static_cast<double>(uint64_t{1} << 62);

}  // namespace

absl::StatusOr<uint64_t> parse_bytes(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && (absl::ascii_isdigit(text[digits]) || text[digits] == '.')) {
    ++digits;
  }
  std::string_view name = text.substr(std::min(text.size(), text.find_first_not_of(" ", digits)));
  double amount = 0;
  if (digits > 0 && digits < 24 && absl::ascii_isdigit(text[0]) &&
      absl::SimpleAtod(for_absl(text.substr(0, digits)), &amount)) {
    for (const Unit& unit : kUnits) {
      if (unit.name != name) continue;
      double bytes = amount * static_cast<double>(unit.factor);
      if (bytes <= kMost && bytes == std::floor(bytes)) return static_cast<uint64_t>(bytes);
    }
  }
  return absl::InvalidArgumentError(
      str_cat("expected a size such as 512KiB, 4MiB or 1GiB, got '", utf8_preview(text, 40), "'"));
}

std::string format_bytes(uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    bool binary = unit.name.size() == 3;
    if (binary && bytes >= unit.factor && bytes % unit.factor == 0) {
      return str_cat(bytes / unit.factor, unit.name);
    }
  }
  return str_cat(bytes, "B");
}

}  // namespace fermata

#include "services/config/duration.h"

#include <cctype>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

constexpr std::string_view kForm = "a duration such as 250ms, 5s, 1m30s or 24h";
const absl::Duration kLongest = absl::Hours(24 * 3660);

struct Unit {
  std::string_view name;
  absl::Duration length;
};

const Unit kUnits[] = {
    {"d", absl::Hours(24)},       {"h", absl::Hours(1)},         {"m", absl::Minutes(1)},
    {"s", absl::Seconds(1)},      {"ms", absl::Milliseconds(1)}, {"us", absl::Microseconds(1)},
    {"ns", absl::Nanoseconds(1)},
};

absl::Status wrong(std::string_view text) {
  return absl::InvalidArgumentError(
      str_cat("expected ", kForm, ", got '", utf8_preview(text, 40), "'"));
}

const Unit* find_unit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

size_t count_while(std::string_view text, bool (*accept)(char)) {
  size_t n = 0;
  while (n < text.size() && accept(text[n])) ++n;
  return n;
}

}  // namespace

absl::StatusOr<absl::Duration> parse_duration(std::string_view text) {
  if (text == "0") return absl::ZeroDuration();
  if (text.empty() || text.size() > 64) return wrong(text);
  absl::Duration sum;
  for (std::string_view rest = text; !rest.empty();) {
    size_t digits = count_while(rest, [](char c) { return absl::ascii_isdigit(c) || c == '.'; });
    std::string_view number = rest.substr(0, digits);
    rest.remove_prefix(digits);
    size_t letters = count_while(rest, [](char c) { return absl::ascii_isalpha(c); });
    const Unit* unit = find_unit(rest.substr(0, letters));
    rest.remove_prefix(letters);
    double amount = 0;
    if (!absl::ascii_isdigit(number.empty() ? '.' : number[0]) ||
        !absl::SimpleAtod(for_absl(number), &amount) || unit == nullptr) {
      return wrong(text);
    }
    sum += amount * unit->length;
  }
  if (sum > kLongest) {
    return absl::InvalidArgumentError(
        str_cat("expected a duration below 10 years, got '", utf8_preview(text, 40), "'"));
  }
  return sum;
}

std::string format_duration(absl::Duration duration) {
  return duration == absl::ZeroDuration() ? "0s" : absl::FormatDuration(duration);
}

}  // namespace fermata

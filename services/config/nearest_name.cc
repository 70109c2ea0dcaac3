#include "services/config/nearest_name.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

// Longer names are not misspellings of anything, and the distance is quadratic.
constexpr size_t kMaxLength = 128;

// Edits to turn a into b: insert, delete, replace, swap neighbours.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view got, absl::Span<const std::string> known) {
  if (got.empty() || got.size() > kMaxLength) return std::nullopt;
  std::string lower = absl::AsciiStrToLower(for_absl(got));
  std::optional<std::string> best;
  size_t best_distance = 0;
  for (const std::string& name : known) {
    if (name.size() > kMaxLength) continue;
    size_t edits = distance(lower, absl::AsciiStrToLower(name));
    // One edit in three letters is likely a slip, more is likely another word.
    size_t allowed = std::max<size_t>(1, std::max(got.size(), name.size()) / 3);
    if (edits > allowed || edits >= std::max(got.size(), name.size())) continue;
    if (!best || edits < best_distance) {
      best = name;
      best_distance = edits;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view got, absl::Span<const std::string> known) {
  std::optional<std::string> name = nearest_name(got, known);
  return name ? str_cat(", did you mean '", *name, "'?") : "";
}

}  // namespace fermata

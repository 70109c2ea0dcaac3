#include "services/cli/table.h"

#include <algorithm>
#include <cstddef>

#include "services/cli/cat.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

constexpr int kGap = 2;
constexpr int kFlexibleMin = 8;

}  // namespace

std::vector<int> Table::widths(int limit) const {
  std::vector<int> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const std::vector<Cell>& row : rows_) {
    for (size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i].text));
    }
  }
  int total = kGap * (static_cast<int>(widths.size()) - 1);
  for (const int width : widths) total += width;
  for (size_t i = 0; i < widths.size() && limit > 0; ++i) {
    if (columns_[i].flexible && total > limit) {
      widths[i] = std::max(kFlexibleMin, widths[i] - (total - limit));
    }
  }
  return widths;
}

std::string Table::render(int width, bool color) const {
  const std::vector<int> columns = widths(width);
  std::string out;
  const auto add_line = [&](const auto& cell_at) {
    for (size_t i = 0; i < columns.size(); ++i) {
      const Cell cell = cell_at(i);
      const std::string text = fit(cell.text, columns[i]);
      const bool right = columns_[i].align == Align::kRight;
      const bool last = i + 1 == columns.size();
      const std::string fill(std::max(0, columns[i] - display_width(text)), ' ');
      append(&out, right ? fill : "", styled(text, cell.style, color), right || last ? "" : fill,
             last ? "\n" : std::string(kGap, ' '));
    }
  };
  add_line([&](size_t i) { return Cell{columns_[i].title, Style::kBold}; });
  for (const std::vector<Cell>& row : rows_) {
    add_line([&](size_t i) { return row[i]; });
  }
  return out;
}

}  // namespace fermata::cli

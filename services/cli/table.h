#pragma once

// Table: rows of cells under titles, columns as wide as their widest cell.
//
// One column may be flexible: when the terminal is too narrow it is the one that is cut, with an
// ellipsis. Without a terminal nothing is ever cut, since `grep` wants whole lines.

#include <string>
#include <vector>

#include "services/cli/terminal.h"

namespace fermata::cli {

struct Cell {
  std::string text;
  Style style = Style::kPlain;
};

class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
    bool flexible = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void add_row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }

  // Lines with their line breaks; `width` 0 means as wide as it takes.
  std::string render(int width, bool color) const;

 private:
  std::vector<int> widths(int limit) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace fermata::cli

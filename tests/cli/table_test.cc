#include "services/cli/table.h"

#include "gtest/gtest.h"

namespace fermata::cli {
namespace {

Table two_columns() {
  Table table({{"NAME", Table::Align::kLeft, true}, {"COUNT", Table::Align::kRight}});
  table.add_row({{"a-long-name-that-goes-on"}, {"7"}});
  table.add_row({{"日本"}, {"1000", Style::kBad}});
  return table;
}

TEST(Table, AlignsColumnsByDisplayWidth) {
  EXPECT_EQ(two_columns().render(0, false),
            "NAME                      COUNT\n"
            "a-long-name-that-goes-on      7\n"
            "日本                       1000\n");
}

TEST(Table, CutsOnlyTheFlexibleColumnToFitTheTerminal) {
  EXPECT_EQ(two_columns().render(17, false),
            "NAME        COUNT\n"
            "a-long-na…      7\n"
            "日本         1000\n");
}

TEST(Table, KeepsAReadableMinimumOnAVeryNarrowTerminal) {
  EXPECT_EQ(two_columns().render(5, false),
            "NAME      COUNT\n"
            "a-long-…      7\n"
            "日本       1000\n");
}

TEST(Table, ColorsTextAndNotTheSpaceAroundIt) {
  Table table({{"A"}, {"B"}});
  table.add_row({{"x", Style::kGood}, {"y"}});
  EXPECT_EQ(table.render(0, true), "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[32mx\x1b[0m  y\n");
}

}  // namespace
}  // namespace fermata::cli

#pragma once

// Text as a terminal shows it: how wide it is, cut to fit, and never able to drive the terminal.
// Pure functions, any thread.

#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace fermata::cli {

// Text from outside made fit to print: control characters (a fetched page must not move the
// cursor) and bytes that are not UTF-8 become '?', line breaks and tabs become spaces.
std::string printable(std::string_view text);

// Columns that printable UTF-8 takes: East Asian wide characters two, combining marks none.
int display_width(std::string_view text);

// Cut to `width` columns, the last one an ellipsis when something was cut.
std::string fit(std::string_view text, int width);

// Filled with spaces up to `width` columns, at the right or at the left.
std::string pad_right(std::string_view text, int width);
std::string pad_left(std::string_view text, int width);

// For people: "0ms", "850ms", "3.2s", "42s", "3m05s", "2h10m", "3d4h".
std::string duration_text(absl::Duration duration);
// "just now", "12s ago", "5m ago", "3h ago", "2d ago"; "in 5s" for what is to come.
std::string ago_text(absl::Time then, absl::Time now);
// "1 call", "2 calls".
std::string count_text(long long n, std::string_view noun);

}  // namespace fermata::cli

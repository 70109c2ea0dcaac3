#pragma once

// What the thing behind a file descriptor can show: is it a person's terminal, how wide, in colour?
//
// Asked per stream, since `fermata run x > result.json` has its progress on a terminal and its
// result in a file. Pure decisions are apart from the system calls so that tests reach them.

#include <string>
#include <string_view>

namespace fermata::cli {

enum class ColorMode { kAuto, kAlways, kNever };

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};

struct Terminal {
  int fd = 1;
  bool interactive = false;  // lines can be redrawn
  bool color = false;
};

// The parts of the environment that matter, "" for what is not set.
struct TerminalEnvironment {
  std::string term;
  std::string no_color;
};
TerminalEnvironment terminal_environment();

// https://no-color.org: any non-empty NO_COLOR turns colour off, but an explicit --color wins.
bool decide_color(ColorMode mode, bool is_tty, const TerminalEnvironment& environment);
Terminal inspect_terminal(int fd, ColorMode mode, const TerminalEnvironment& environment);

// Asked anew at each drawing, since windows are resized. 80x24 when nobody knows.
TerminalSize terminal_size(int fd);

enum class Style { kPlain, kBold, kDim, kGood, kBad, kWarning, kBusy };

// `text` in a style, or as it is without colour.
std::string styled(std::string_view text, Style style, bool color);
// The style of a job's or a stage's state.
Style style_of_state(std::string_view state);

}  // namespace fermata::cli

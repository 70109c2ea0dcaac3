#include "services/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "services/cli/cat.h"

namespace fermata::cli {
namespace {

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string_view code_of(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kGood:
      return "\x1b[32m";
    case Style::kBad:
      return "\x1b[31m";
    case Style::kWarning:
      return "\x1b[33m";
    case Style::kBusy:
      return "\x1b[36m";
  }
  return "";
}

}  // namespace

TerminalEnvironment terminal_environment() {
  return {environment_value("TERM"), environment_value("NO_COLOR")};
}

bool decide_color(ColorMode mode, bool is_tty, const TerminalEnvironment& environment) {
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  return is_tty && environment.no_color.empty() && environment.term != "dumb";
}

Terminal inspect_terminal(int fd, ColorMode mode, const TerminalEnvironment& environment) {
  const bool is_tty = isatty(fd) == 1;
  // A terminal without a name cannot be trusted to move its cursor.
  const bool moves = !environment.term.empty() && environment.term != "dumb";
  return {fd, is_tty && moves, decide_color(mode, is_tty, environment)};
}

TerminalSize terminal_size(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row == 0 ? 24 : size.ws_row};
}

std::string styled(std::string_view text, Style style, bool color) {
  if (!color || style == Style::kPlain || text.empty()) return std::string(text);
  return cat(code_of(style), text, "\x1b[0m");
}

Style style_of_state(std::string_view state) {
  if (state == "SUCCEEDED") return Style::kGood;
  if (state == "FAILED" || state == "EXPIRED") return Style::kBad;
  if (state == "CANCELLED" || state == "CANCELLING" || state == "BACKING_OFF") {
    return Style::kWarning;
  }
  if (state == "RUNNING") return Style::kBusy;
  return Style::kDim;
}

}  // namespace fermata::cli

#include "services/cli/text.h"

#include "gtest/gtest.h"
#include "services/cli/exit_code.h"
#include "services/cli/terminal.h"

namespace fermata::cli {
namespace {

TEST(Printable, KeepsTextAndDisarmsTerminalSequences) {
  EXPECT_EQ(printable("plain 日本 é"), "plain 日本 é");
  EXPECT_EQ(printable("\x1b[2Jgone"), "?[2Jgone");
  EXPECT_EQ(printable("a\nb\tc\rd"), "a b c?d");
  EXPECT_EQ(printable("\xc2\x9b[2J"), "?[2J");      // CSI as one character
  EXPECT_EQ(printable("\xe2\x80\xaetxt"), "?txt");  // right-to-left override
  EXPECT_EQ(printable(std::string("nul\0byte", 8)), "nul?byte");
}

TEST(Printable, ReplacesEveryByteThatIsNotUtf8) {
  EXPECT_EQ(printable("\xff\xfe"), "??");
  EXPECT_EQ(printable("\xc3"), "?");
  EXPECT_EQ(printable("\xc0\xaf"), "??");            // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "???");       // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????");  // above U+10FFFF
}

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("é"), 1);
  EXPECT_EQ(display_width("日本"), 4);
  EXPECT_EQ(display_width("e\xcc\x81"), 1);  // combining accent
}

TEST(Fit, CutsAtTheWidthWithAnEllipsis) {
  EXPECT_EQ(fit("abcdef", 6), "abcdef");
  EXPECT_EQ(fit("abcdef", 5), "abcd…");
  EXPECT_EQ(fit("日本語", 4), "日…");
  EXPECT_EQ(fit("abc", 1), "…");
  EXPECT_EQ(fit("abc", 0), "");
}

TEST(Pad, FillsUpToTheWidthAndNeverCuts) {
  EXPECT_EQ(pad_right("é", 3), "é  ");
  EXPECT_EQ(pad_left("日", 3), " 日");
  EXPECT_EQ(pad_left("long", 2), "long");
}

TEST(DurationText, NeverRoundsUpToTheNextUnit) {
  EXPECT_EQ(duration_text(absl::ZeroDuration()), "0ms");
  EXPECT_EQ(duration_text(absl::Microseconds(999'999)), "999ms");
  EXPECT_EQ(duration_text(absl::Milliseconds(3240)), "3.2s");
  EXPECT_EQ(duration_text(absl::Milliseconds(9949)), "9.9s");
  EXPECT_EQ(duration_text(absl::Milliseconds(9950)), "9s");
  EXPECT_EQ(duration_text(absl::Milliseconds(59'999)), "59s");
  EXPECT_EQ(duration_text(absl::Seconds(185)), "3m05s");
  EXPECT_EQ(duration_text(absl::Seconds(3600 * 2 + 601)), "2h10m");
  EXPECT_EQ(duration_text(absl::Hours(76)), "3d4h");
  EXPECT_EQ(duration_text(-absl::Seconds(5)), "-5.0s");
  EXPECT_EQ(duration_text(absl::InfiniteDuration()), "forever");
}

TEST(AgoText, SaysPastAndFuture) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(ago_text(now, now), "just now");
  EXPECT_EQ(ago_text(now - absl::Seconds(59), now), "59s ago");
  EXPECT_EQ(ago_text(now - absl::Minutes(59), now), "59m ago");
  EXPECT_EQ(ago_text(now - absl::Hours(23), now), "23h ago");
  EXPECT_EQ(ago_text(now - absl::Hours(50), now), "2d ago");
  EXPECT_EQ(ago_text(now + absl::Seconds(5), now), "in 5s");
}

TEST(Color, FollowsTheOptionThenNoColorThenTheTerminal) {
  const TerminalEnvironment xterm = {"xterm-256color", ""};
  EXPECT_TRUE(decide_color(ColorMode::kAuto, true, xterm));
  EXPECT_FALSE(decide_color(ColorMode::kAuto, false, xterm));
  EXPECT_FALSE(decide_color(ColorMode::kAuto, true, {"xterm", "1"}));
  EXPECT_FALSE(decide_color(ColorMode::kAuto, true, {"dumb", ""}));
  EXPECT_TRUE(decide_color(ColorMode::kAlways, false, {"dumb", "1"}));
  EXPECT_FALSE(decide_color(ColorMode::kNever, true, xterm));
}

TEST(Styled, AddsNothingWithoutColor) {
  EXPECT_EQ(styled("x", Style::kBad, false), "x");
  EXPECT_EQ(styled("x", Style::kBad, true), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(styled("", Style::kBad, true), "");
}

TEST(ExitCode, TellsHowTheJobEnded) {
  EXPECT_EQ(exit_code_of_state("SUCCEEDED"), ExitCode::kOk);
  EXPECT_EQ(exit_code_of_state("FAILED"), ExitCode::kJobFailed);
  EXPECT_EQ(exit_code_of_state("CANCELLED"), ExitCode::kJobCancelled);
  EXPECT_EQ(exit_code_of_state("EXPIRED"), ExitCode::kJobExpired);
  EXPECT_EQ(exit_code_of_state("RUNNING"), ExitCode::kInternal);
}

}  // namespace
}  // namespace fermata::cli

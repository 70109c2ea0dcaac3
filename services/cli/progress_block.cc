#include "services/cli/progress_block.h"

#include <algorithm>
#include <cstddef>

#include "services/cli/cat.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

constexpr int kNameMax = 24;
constexpr int kBarMax = 20;

// Widths that all stage lines share, so that their columns stand below each other.
struct Columns {
  int name = 0;
  int counts = 0;
  int failed = 0;
  int retries = 0;
  bool bar = false;
};

std::string done_text(const StageView& stage) {
  return stage.total > 1 ? cat(stage.done, "/", stage.total) : "";
}
std::string number_text(int64_t n, std::string_view what) { return n > 0 ? cat(n, " ", what) : ""; }

Columns columns_of(const std::vector<StageView>& stages) {
  Columns columns;
  for (const StageView& stage : stages) {
    columns.name = std::max(columns.name, std::min(kNameMax, display_width(stage.name)));
    columns.counts = std::max(columns.counts, display_width(done_text(stage)));
    columns.failed = std::max(columns.failed, display_width(number_text(stage.failed, "failed")));
    columns.retries =
        std::max(columns.retries, display_width(number_text(stage.retries, "retried")));
    columns.bar = columns.bar || stage.total > 1;
  }
  return columns;
}

std::string_view mark_of(std::string_view state) {
  if (state == "SUCCEEDED") return "✓";
  if (state == "FAILED") return "✗";
  if (state == "RUNNING") return "●";
  if (state == "SKIPPED" || state == "CANCELLED") return "-";
  return "·";
}

std::string repeated(std::string_view text, int64_t n) {
  std::string out;
  for (int64_t i = 0; i < n; ++i) out += text;
  return out;
}

// Done well, failed, and what is left, as parts of `width`.
std::string bar(const StageView& stage, int width, bool color) {
  const int64_t total = std::max<int64_t>(1, stage.total);
  const int64_t done = std::clamp<int64_t>(stage.done * width / total, 0, width);
  // A failure shows even when it is one of thousands.
  const int64_t failed =
      stage.failed == 0 ? 0 : std::clamp<int64_t>(stage.failed * width / total, 1, done);
  return cat(styled(repeated("━", done - failed), Style::kGood, color),
             styled(repeated("━", failed), Style::kBad, color),
             styled(repeated("─", width - done), Style::kDim, color));
}

// Adds parts to one line until the terminal is full; colours do not count as width.
class Line {
 public:
  Line(int width, bool color) : left_(width), color_(color) {}

  void add(std::string_view text, Style style = Style::kPlain) {
    const std::string part = fit(text, left_);
    left_ -= display_width(part);
    out_ += styled(part, style, color_);
  }
  void add_bar(const StageView& stage, int width) {
    width = std::min(width, left_);
    if (width <= 0) return;
    left_ -= width;
    out_ += bar(stage, width, color_);
  }
  // Spaces at the end show nothing and wrap on a terminal of just that width.
  std::string take() {
    while (!out_.empty() && out_.back() == ' ') out_.pop_back();
    return std::move(out_);
  }

 private:
  std::string out_;
  int left_;
  bool color_;
};

std::string stage_line(const JobProgress& progress, const StageView& stage, const Columns& columns,
                       absl::Time now, TerminalSize size, bool color) {
  Line line(size.columns, color);
  line.add("  ");
  line.add(mark_of(stage.state), style_of_state(stage.state));
  line.add(" ");
  line.add(pad_right(fit(stage.name, columns.name), columns.name));
  if (columns.bar) {
    const int room = std::clamp(size.columns - columns.name - columns.counts - 30, 4, kBarMax);
    line.add("  ");
    if (stage.total > 1) {
      line.add_bar(stage, room);
    } else {
      line.add(std::string(room, ' '));
    }
    line.add("  ");
    line.add(pad_left(done_text(stage), columns.counts));
  }
  const auto number = [&](int width, int64_t n, std::string_view what, Style style) {
    if (width == 0) return;
    line.add("  ");
    line.add(pad_left(number_text(n, what), width), style);
  };
  number(columns.failed, stage.failed, "failed", Style::kBad);
  number(columns.retries, stage.retries, "retried", Style::kWarning);
  if (stage.start != absl::InfiniteFuture()) {
    line.add(cat("  ", duration_text(progress.elapsed(stage, now))));
  }
  if (stage.fraction >= 0 && stage.state == "RUNNING") {
    line.add(cat("  ", static_cast<int>(stage.fraction * 100), "%"));
  }
  if (!stage.note.empty() && stage.state == "RUNNING") {
    line.add(cat("  ", stage.note), Style::kDim);
  }
  return line.take();
}

// Which stages to show when there is room for `room` of them, in pipeline order.
std::vector<size_t> chosen_stages(const std::vector<StageView>& stages, size_t room) {
  std::vector<size_t> chosen;
  for (const bool running : {true, false}) {
    for (size_t i = 0; i < stages.size() && chosen.size() < room; ++i) {
      if ((stages[i].state == "RUNNING") == running) chosen.push_back(i);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

std::vector<std::string> progress_block(const JobProgress& progress, absl::Time now,
                                        TerminalSize size, bool color) {
  std::vector<std::string> lines;
  Line head(size.columns, color);
  head.add(progress.work, Style::kBold);
  head.add("  ");
  head.add(progress.name, Style::kDim);
  head.add("  ");
  head.add(progress.state, style_of_state(progress.state));
  head.add(cat("  ", duration_text(progress.elapsed(now))));
  lines.push_back(head.take());

  const bool retry_line = !progress.last_retry.empty() && !progress.finished();
  const int room = std::max(1, size.rows - 3 - (retry_line ? 1 : 0));
  const auto chosen = chosen_stages(progress.stages, static_cast<size_t>(room));
  const Columns columns = columns_of(progress.stages);
  for (const size_t i : chosen) {
    lines.push_back(stage_line(progress, progress.stages[i], columns, now, size, color));
  }
  if (const size_t hidden = progress.stages.size() - chosen.size(); hidden > 0) {
    Line line(size.columns, color);
    line.add(cat("  … ", hidden, " more"), Style::kDim);
    lines.push_back(line.take());
  }
  if (retry_line) {
    Line line(size.columns, color);
    line.add(cat("  last retry: ", progress.last_retry), Style::kDim);
    lines.push_back(line.take());
  }
  // The cursor stands in the line below the block; a block that scrolls cannot be drawn over.
  lines.resize(std::min(lines.size(), static_cast<size_t>(std::max(1, size.rows - 1))));
  return lines;
}

std::string LiveArea::draw(const std::vector<std::string>& lines) {
  std::string out = shown_.empty() ? "" : cat("\x1b[", shown_.size(), "A");
  for (const std::string& line : lines) append(&out, "\r\x1b[2K", line, "\n");
  out += "\x1b[J";  // what is left of a block that was higher
  shown_ = lines;
  return out;
}

std::string LiveArea::print_above(std::string_view line) {
  const std::vector<std::string> block = std::move(shown_);
  shown_.clear();
  std::string out = block.empty() ? "" : cat("\x1b[", block.size(), "A");
  append(&out, "\r\x1b[2K", line, "\n");
  return out + (block.empty() ? "" : draw(block));
}

}  // namespace fermata::cli

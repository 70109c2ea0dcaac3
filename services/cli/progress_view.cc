#include "services/cli/progress_view.h"

#include "absl/time/clock.h"
#include "fermata/v1/jobs.pb.h"

namespace fermata::cli {
namespace {

// Faster than this is not seen, and a terminal over ssh has to carry every frame.
constexpr absl::Duration kFrame = absl::Milliseconds(80);

}  // namespace

void ProgressView::event(const v1::JobEvent& event) {
  const absl::Time now = absl::Now();
  const ProgressNews news = apply(event, now, &progress_);
  if (mode_ == Mode::kLines) {
    for (const std::string& line : lines_.lines_for(news, progress_)) output_.write_line(line);
    return;
  }
  if (mode_ == Mode::kNone) return;
  if (news.kind == ProgressNews::Kind::kLog) note(news.message);
  if (now - drawn_ >= kFrame || progress_.finished()) draw(now);
}

void ProgressView::tick() {
  const absl::Time now = absl::Now();
  if (mode_ == Mode::kLive && !progress_.finished() && now - drawn_ >= kFrame) draw(now);
}

void ProgressView::note(std::string_view line) {
  if (mode_ == Mode::kLive) {
    output_.write(area_.print_above(line));
  } else if (mode_ == Mode::kLines) {
    output_.write_line(line);
  }
}

void ProgressView::draw(absl::Time now) {
  if (progress_.name.empty()) return;
  drawn_ = now;
  output_.write(area_.draw(progress_block(progress_, now, output_.size(), output_.color())));
}

}  // namespace fermata::cli

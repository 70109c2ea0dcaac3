#include "services/cli/progress_lines.h"

#include <cstddef>

#include "services/cli/cat.h"
#include "services/cli/text.h"

namespace fermata::cli {
namespace {

constexpr absl::Duration kPause = absl::Seconds(1);

bool is_end(const std::string& state) {
  return state == "SUCCEEDED" || state == "FAILED" || state == "CANCELLED" || state == "SKIPPED";
}

}  // namespace

std::string counts_text(const StageView& stage) {
  std::string text;
  if (stage.total > 1) append(&text, stage.done, "/", stage.total);
  const auto add = [&](int64_t n, std::string_view what) {
    if (n > 0) append(&text, text.empty() ? "" : ", ", n, " ", what);
  };
  add(stage.failed, "failed");
  add(stage.retries, "retried");
  return text;
}

void ProgressLines::add_stage(size_t index, absl::Time time, const JobProgress& progress,
                              std::vector<std::string>* lines) {
  if (stages_.size() < progress.stages.size()) stages_.resize(progress.stages.size());
  const StageView& stage = progress.stages[index];
  Printed& printed = stages_[index];
  const bool changed = stage.state != printed.state;
  const bool waits = stage.state == "WAITING";
  if (waits || (!changed && (is_end(stage.state) || time - printed.at < kPause))) return;
  printed.at = time;
  printed.state = stage.state;
  const std::string counts = counts_text(stage);
  std::string line = cat(stage.name, ": ", stage.state);
  if (!counts.empty()) append(&line, ", ", counts);
  if (is_end(stage.state) && stage.start != absl::InfiniteFuture()) {
    append(&line, ", ", duration_text(progress.elapsed(stage, time)));
  }
  lines->push_back(std::move(line));
}

std::vector<std::string> ProgressLines::lines_for(const ProgressNews& news,
                                                  const JobProgress& progress) {
  using Kind = ProgressNews::Kind;
  std::vector<std::string> lines;
  const std::string& stage_name =
      news.stage < 0 ? progress.work : progress.stages[static_cast<size_t>(news.stage)].name;
  if (news.kind == Kind::kSnapshot || news.kind == Kind::kFinished) {
    for (size_t i = 0; i < progress.stages.size(); ++i) {
      add_stage(i, news.time, progress, &lines);
    }
  } else if (news.kind == Kind::kLog || news.kind == Kind::kNote) {
    lines.push_back(cat(stage_name, ": ", news.message));
  } else if (news.stage >= 0) {
    add_stage(static_cast<size_t>(news.stage), news.time, progress, &lines);
  }
  if (news.kind == Kind::kRetry && news.stage >= 0) {
    Printed& printed = stages_[static_cast<size_t>(news.stage)];
    if (news.time - printed.retry_at >= kPause) {
      printed.retry_at = news.time;
      lines.push_back(cat(stage_name, ": retry after ", news.message));
    }
  }
  if (progress.state != job_state_) {
    job_state_ = progress.state;
    std::string line = cat(progress.name, " ", progress.state);
    if (progress.finished()) {
      append(&line, " after ", duration_text(progress.elapsed(news.time)));
    }
    // A job's start is said before its stages, its end after them.
    lines.insert(progress.finished() ? lines.end() : lines.begin(), std::move(line));
  }
  return lines;
}

}  // namespace fermata::cli

#include "services/stages/generation.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/async/check.h"

namespace fermata {

std::string PluginIdentity::label() const {
  if (sha256.empty()) return version;
  return absl::StrCat(version, "+", sha256.substr(0, 8));
}

PluginGeneration::PluginGeneration(PluginIdentity identity, std::vector<StageInfo> stages,
                                   std::vector<StageSeries> series)
    : identity_(std::move(identity)),
      label_(identity_.label()),
      stages_(std::move(stages)),
      series_(std::move(series)) {
  FERMATA_CHECK(series_.size() == stages_.size(), "one series for each stage");
  idle_.set();
}

PluginGeneration::~PluginGeneration() {
  FERMATA_CHECK(calls_ == 0, "a generation was freed while an attempt held it");
}

int PluginGeneration::find_stage(std::string_view name) const {
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

void PluginGeneration::begin_close() {
  refuse_and_cancel();
  if (calls_ == 0) self_.reset();
}

void PluginGeneration::call_began() {
  if (self_ == nullptr) self_ = shared_from_this();
  if (calls_++ == 0) idle_.clear();
}

void PluginGeneration::call_ended() {
  FERMATA_CHECK(calls_ > 0, "an attempt ended twice");
  if (--calls_ != 0) return;
  GenerationRef last;  // lives until everything here is done
  if (!open()) last = std::move(self_);
  idle_.set();
}

void CallHold::note(const StageOutcome& outcome) {
  if (generation_ == nullptr || outcome.preempted) return;
  const absl::StatusCode code = outcome.status.code();
  if (code == absl::StatusCode::kCancelled) return;
  GenerationTally& tally = generation_->tally_;
  ++tally.ended;
  // A wrong input counts, too: it is as wrong for the version that this one is compared with,
  // unless it is this version that has begun to refuse what was right.
  if (code == absl::StatusCode::kOk) return;
  ++tally.failed;
  if (outcome.lost && !outcome.lost_below) ++tally.lost;
}

}  // namespace fermata

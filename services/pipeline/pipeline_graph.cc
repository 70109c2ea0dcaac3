#include "services/pipeline/pipeline_graph.h"

#include <algorithm>
#include <utility>

#include "services/config/str_cat.h"

namespace fermata {
namespace {

// Order of stages, or less than all of them when there is a cycle. Always the first stage of the
// file that has all it needs: at most 1000 stages, so the square of that is nothing.
std::vector<int> topological_order(const std::vector<StageDraft>& drafts) {
  std::vector<int> order;
  std::vector<bool> done(drafts.size(), false);
  bool moved = true;
  while (moved) {
    moved = false;
    for (size_t i = 0; i < drafts.size() && !moved; ++i) {
      auto is_done = [&](const Dependency& need) { return done[static_cast<size_t>(need.stage)]; };
      if (done[i] || !std::all_of(drafts[i].needs.begin(), drafts[i].needs.end(), is_done))
        continue;
      done[i] = moved = true;
      order.push_back(static_cast<int>(i));
    }
  }
  return order;
}

// Every stage that is left needs one that is left: going from need to need must come round.
void report_cycle(YamlErrors& errors, const std::vector<StageDraft>& drafts,
                  const std::vector<int>& order) {
  std::vector<bool> left(drafts.size(), true);
  for (int i : order) left[static_cast<size_t>(i)] = false;
  size_t at = static_cast<size_t>(std::find(left.begin(), left.end(), true) - left.begin());
  std::vector<size_t> path;
  std::vector<YamlMark> marks;
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    for (const Dependency& need : drafts[at].needs) {
      if (!left[static_cast<size_t>(need.stage)]) continue;
      at = static_cast<size_t>(need.stage);
      marks.push_back(need.mark);
      break;
    }
  }
  size_t start = static_cast<size_t>(std::find(path.begin(), path.end(), at) - path.begin());
  // The path goes from a stage to what it needs; people read the other way, as the data flows.
  std::string names = drafts[at].stage.name;
  for (size_t i = path.size(); i > start; --i) {
    str_append(&names, " -> ", drafts[path[i - 1]].stage.name);
  }
  errors.add(marks[start], "stages", "no stage to wait for itself", str_cat("the cycle ", names));
}

std::vector<int> positions(const std::vector<int>& order) {
  std::vector<int> position(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    position[static_cast<size_t>(order[i])] = static_cast<int>(i);
  }
  return position;
}

void renumber(Reference* reference, const std::vector<int>& position) {
  if (reference == nullptr || reference->stage() < 0) return;
  reference->set_stage(position[static_cast<size_t>(reference->stage())]);
}

}  // namespace

void sort_stages(YamlErrors& errors, std::vector<StageDraft>* drafts, Template* result) {
  std::vector<int> order = topological_order(*drafts);
  if (order.size() < drafts->size()) {
    report_cycle(errors, *drafts, order);
    return;
  }
  std::vector<int> position = positions(order);
  std::vector<StageDraft> sorted;
  for (int i : order) sorted.push_back(std::move((*drafts)[static_cast<size_t>(i)]));
  for (StageDraft& draft : sorted) {
    PipelineStage& stage = draft.stage;
    for (Dependency& need : draft.needs) {
      need.stage = position[static_cast<size_t>(need.stage)];
      stage.after.push_back(need.stage);
    }
    std::sort(stage.after.begin(), stage.after.end());
    stage.after.erase(std::unique(stage.after.begin(), stage.after.end()), stage.after.end());
    renumber(stage.each ? &*stage.each : nullptr, position);
    renumber(stage.when ? &*stage.when : nullptr, position);
    stage.with.renumber_stages(position);
  }
  result->renumber_stages(position);
  *drafts = std::move(sorted);
}

}  // namespace fermata

#include "services/stages/plugin_slot.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/stages/absl_view.h"

namespace fermata {
namespace {

bool takes_calls(const PluginGeneration& generation) {
  if (!generation.open()) return false;
  return generation.state() == GenerationState::kActive ||
         generation.state() == GenerationState::kCanary ||
         generation.state() == GenerationState::kPinned;
}

// One part of a version: numbers before words, and by value.
std::tuple<int, size_t, std::string_view> rank(std::string_view part) {
  if (!part.empty() && std::all_of(part.begin(), part.end(), absl::ascii_isdigit)) {
    const size_t zeros = part.find_first_not_of('0');
    part.remove_prefix(std::min(zeros, part.size() - 1));
    return {0, part.size(), part};
  }
  return {1, 0, part};
}

std::string_view take_part(std::string_view& text) {
  const size_t dot = text.find('.');
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
  return part;
}

int compare_parts(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const auto left = rank(take_part(a));
    const auto right = rank(take_part(b));
    if (left != right) return left < right ? -1 : 1;
  }
  return static_cast<int>(!a.empty()) - static_cast<int>(!b.empty());
}

}  // namespace

bool version_fits(std::string_view version, std::string_view wanted) {
  if (version == wanted) return true;
  return !wanted.empty() && version.size() > wanted.size() &&
         version.compare(0, wanted.size(), wanted) == 0 && version[wanted.size()] == '.';
}

bool version_less(std::string_view a, std::string_view b) {
  a = a.substr(0, a.find('+'));  // builds have no order
  b = b.substr(0, b.find('+'));
  const size_t a_dash = std::min(a.find('-'), a.size());
  const size_t b_dash = std::min(b.find('-'), b.size());
  const int core = compare_parts(a.substr(0, a_dash), b.substr(0, b_dash));
  if (core != 0) return core < 0;
  const bool a_pre = a_dash < a.size();
  const bool b_pre = b_dash < b.size();
  if (a_pre != b_pre) return a_pre;
  return compare_parts(a.substr(a_dash), b.substr(b_dash)) < 0;
}

namespace {

StageTarget target_in(const GenerationRef& generation, std::string_view stage) {
  const int number = generation == nullptr ? -1 : generation->find_stage(stage);
  if (number < 0) return StageTarget();
  return StageTarget{generation, static_cast<size_t>(number)};
}

}  // namespace

void StageRoute::lead_to(const GenerationRef& generation, const GenerationRef& canary) {
  target_ = target_in(generation, info().name);
  canary_ = target_in(canary, info().name);
  if (target_.generation != nullptr) set_info(generation->stages()[target_.stage]);
}

const StageTarget& StageRoute::next() {
  if (canary_.generation != nullptr && slot_.canary_turn()) [[unlikely]]
    return canary_;
  return target_;
}

void PluginSlot::set_canary(GenerationRef generation, int percent) {
  if (generation != nullptr) generation->set_state(GenerationState::kCanary);
  canary_ = std::move(generation);
  canary_percent_ = percent;
  reroute();
}

bool PluginSlot::canary_turn() {
  canary_turn_ += canary_percent_;
  if (canary_turn_ < 100) return false;
  canary_turn_ -= 100;
  return true;
}

std::vector<StageSeries> PluginSlot::series_for(const std::vector<StageInfo>& stages) {
  std::vector<StageSeries> all;
  for (const StageInfo& stage : stages) all.push_back(series_[stage.name]);
  return all;
}

void PluginSlot::add(GenerationRef generation) {
  generations_.push_back(std::move(generation));
  reroute();
}

GenerationRef PluginSlot::activate(const GenerationRef& generation) {
  FERMATA_CHECK(generation->open(), "a generation without instances cannot be active");
  GenerationRef before = std::exchange(active_, generation);
  generation->set_state(GenerationState::kActive);
  if (before != generation) previous_ = before;
  for (size_t i = 0; i < generation->stages().size(); ++i) {
    const StageInfo& stage = generation->stages()[i];
    RouteRef& route = routes_[stage.name];
    if (route != nullptr) continue;
    route = std::make_shared<StageRoute>(stage, series_[stage.name].counters, *this, "");
  }
  reroute();
  return before;
}

void PluginSlot::remove(const PluginGeneration& generation) {
  const auto found =
      std::find_if(generations_.begin(), generations_.end(),
                   [&](const GenerationRef& other) { return other.get() == &generation; });
  if (found != generations_.end()) generations_.erase(found);
  if (active_.get() == &generation) active_ = nullptr;
  if (previous_.get() == &generation) previous_ = nullptr;
  if (canary_.get() == &generation) canary_ = nullptr;
  reroute();
}

void PluginSlot::reroute() {
  for (const auto& [stage, route] : routes_) route->lead_to(active_, canary_);
  for (const auto& [key, route] : pinned_) {
    route->lead_to(fitting(route->info().name, route->pin()), nullptr);
  }
  changed_.set();
}

GenerationRef PluginSlot::fitting(std::string_view stage, std::string_view pin) const {
  GenerationRef best;
  for (const GenerationRef& generation : generations_) {
    if (!takes_calls(*generation) || generation->find_stage(stage) < 0) continue;
    const std::string& version = generation->identity().version;
    if (!version_fits(version, pin)) continue;
    if (best == nullptr || !version_less(version, best->identity().version)) best = generation;
  }
  return best;
}

RouteRef PluginSlot::pinned(std::string_view stage, std::string_view pin) {
  std::string key = absl::StrCat(absl_view(stage), "@", absl_view(pin));
  const auto found = pinned_.find(key);
  if (found != pinned_.end()) {
    return found->second->target().generation == nullptr ? nullptr : found->second;
  }
  const GenerationRef generation = fitting(stage, pin);
  if (generation == nullptr) return nullptr;
  const size_t number = static_cast<size_t>(generation->find_stage(stage));
  auto route = std::make_shared<StageRoute>(
      generation->stages()[number], generation->series(number).counters, *this, std::string(pin));
  route->lead_to(generation, nullptr);
  pinned_.emplace(std::move(key), route);
  return route;
}

}  // namespace fermata

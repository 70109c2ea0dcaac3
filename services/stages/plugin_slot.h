// PluginSlot: one plugin id, its generations in the order in which they came, and the routes by
// which its stages are called. StageRoute: what the engine holds of a stage.
//
// A route leads to a generation at the start of each attempt: to the active one, or, when it asks
// for a version ("http/get@1.2"), to the newest that fits. Switching is one assignment per route,
// on the loop, so no attempt ever sees half of it. Loop thread only.
#ifndef SERVICES_STAGES_PLUGIN_SLOT_H_
#define SERVICES_STAGES_PLUGIN_SLOT_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/stages/generation.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/process_stats.h"
#include "services/stages/stage_instance.h"
#include "services/stages/stages.h"

namespace fermata {

// "1", "1.2" and "1.2.3" of "1.2.3"; the whole text of any version.
bool version_fits(std::string_view version, std::string_view wanted);
// SemVer's order: numbers by value, a pre-release before its release.
bool version_less(std::string_view a, std::string_view b);

class PluginSlot;

class StageRoute final : public Stage {
 public:
  StageRoute(StageInfo info, std::shared_ptr<StageCounters> counters, PluginSlot& slot,
             std::string pin)
      : Stage(std::move(info), std::move(counters)), slot_(slot), pin_(std::move(pin)) {}

  PluginSlot& slot() const { return slot_; }
  const std::string& pin() const { return pin_; }
  // Where an attempt that begins now goes; no generation: nowhere.
  const StageTarget& next();
  const StageTarget& target() const { return target_; }

 private:
  friend class PluginSlot;
  void lead_to(const GenerationRef& generation, const GenerationRef& canary);

  PluginSlot& slot_;
  const std::string pin_;  // empty: whichever is active
  StageTarget target_;
  StageTarget canary_;  // for some of the attempts
};
using RouteRef = std::shared_ptr<StageRoute>;

class PluginSlot {
 public:
  PluginSlot(std::string id, std::string short_name)
      : id_(std::move(id)), short_name_(std::move(short_name)) {}
  PluginSlot(const PluginSlot&) = delete;

  const std::string& id() const { return id_; }
  const std::string& short_name() const { return short_name_; }

  // One per stage; the same ones for every generation.
  std::vector<StageSeries> series_for(const std::vector<StageInfo>& stages);

  // A generation that was created; it is used from activate() on, or by pin.
  void add(GenerationRef generation);
  // New attempts run in it from now on; the one that was active becomes `previous`. Gives that one.
  GenerationRef activate(const GenerationRef& generation);
  // It is not used any more and was closed: forgets it.
  void remove(const PluginGeneration& generation);
  // After the states of generations have changed.
  void reroute();

  const GenerationRef& active() const { return active_; }
  const GenerationRef& previous() const { return previous_; }
  void forget_previous() { previous_ = nullptr; }
  // Its time is over: it is closed, and only its bytes can bring it back.
  void retire_previous() {
    retired_ = previous_->identity();
    previous_ = nullptr;
  }
  // The last one for which that was done; without a sha256: none.
  const PluginIdentity& retired() const { return retired_; }
  void forget_retired() { retired_ = PluginIdentity(); }
  // `percent` of the new attempts that name no version go to it. Null: none do.
  void set_canary(GenerationRef generation, int percent);
  const GenerationRef& canary() const { return canary_; }
  // Whether the next attempt goes there: evenly spread, not drawn.
  bool canary_turn();
  const std::vector<GenerationRef>& generations() const { return generations_; }

  // Every stage of the active generation, and those that had one.
  const std::map<std::string, RouteRef, std::less<>>& routes() const { return routes_; }
  // Null when no generation fits, or it has no such stage.
  RouteRef pinned(std::string_view stage, std::string_view pin);

  // Set when something has changed; whoever waits clears it.
  Event& changed() { return changed_; }

  absl::Time last_automatic = absl::InfinitePast();  // roll-back
  std::string last_spared;  // label of the version that was not rolled back, so soon after another

  // Code that is mapped for this plugin, also of generations that are gone.
  struct Image {
    std::string sha256;
    std::shared_ptr<LoadedPlugin> plugin;
  };
  std::vector<Image> images;
  // Of its own processes, if it has any.
  const std::shared_ptr<ProcessStats> process_stats = std::make_shared<ProcessStats>();

 private:
  GenerationRef fitting(std::string_view stage, std::string_view pin) const;

  const std::string id_;
  const std::string short_name_;
  std::vector<GenerationRef> generations_;
  GenerationRef active_;
  GenerationRef previous_;
  PluginIdentity retired_;
  GenerationRef canary_;
  int canary_percent_ = 0;
  int canary_turn_ = 0;
  std::map<std::string, StageSeries, std::less<>> series_;
  std::map<std::string, RouteRef, std::less<>> routes_;  // by stage
  std::map<std::string, RouteRef, std::less<>> pinned_;  // by stage@pin
  Event changed_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_SLOT_H_

// The part of PluginHost that changes versions: the switch, and what becomes of the one before.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/plugin_host.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

// Generations that are gone and still listed, of all plugins.
constexpr size_t kRetiredListed = 200;
// How often a new version is looked at, while the one before could take over again.
constexpr absl::Duration kLook = absl::Seconds(1);

}  // namespace

void PluginHost::switch_to(PluginSlot& slot, const GenerationRef& generation) {
  slot.activate(generation);
  review(slot);
  name_routes();
}

bool PluginHost::wanted(const PluginSlot& slot, const PluginGeneration& generation) const {
  const PluginIdentity& identity = generation.identity();
  if (denied_.find(identity.sha256) != nullptr) return false;
  // The same code with new instances takes over for it in every way.
  const GenerationRef& active = slot.active();
  if (active != nullptr && active->identity().sha256 == identity.sha256) return false;
  const auto present = present_.find(identity.file);
  if (present != present_.end() && present->second == identity.sha256) return true;
  if (!options_.uses) return false;
  for (const std::string& use : options_.uses()) {
    const size_t slash = use.find('/');
    const size_t at = use.find('@');
    if (slash == std::string::npos || at == std::string::npos) continue;
    const std::string_view plugin = std::string_view(use).substr(0, slash);
    if (plugin != slot.id() && plugin != slot.short_name()) continue;
    if (version_fits(identity.version, std::string_view(use).substr(at + 1))) return true;
  }
  return false;
}

// Which generations beside the active one are still needed.
void PluginHost::review(PluginSlot& slot) {
  for (const GenerationRef& generation : slot.generations()) {
    const bool over = generation->state() == GenerationState::kRetired ||
                      generation->state() == GenerationState::kFailed;
    if (generation == slot.active() || generation == slot.canary() || over) continue;
    const bool serves = generation->state() == GenerationState::kActive ||
                        generation->state() == GenerationState::kCanary ||
                        generation->state() == GenerationState::kPinned;
    if (wanted(slot, *generation)) {
      generation->set_state(GenerationState::kPinned);
    } else if (serves) {
      generation->set_state(GenerationState::kDraining);
      if (group_ != nullptr) {
        group_->spawn_named("plugin.drain", &PluginHost::drain, this, &slot, generation);
      }
    }
  }
  slot.reroute();
}

Co<absl::Status> PluginHost::run() {
  absl::Status ended = co_await with_group(&PluginHost::serve, this);
  co_return ended;
}

namespace {

class SetWhileRunning {
 public:
  SetWhileRunning(TaskGroup*& place, TaskGroup& group) : place_(place) { place_ = &group; }
  SetWhileRunning(const SetWhileRunning&) = delete;
  ~SetWhileRunning() { place_ = nullptr; }

 private:
  TaskGroup*& place_;
};

}  // namespace

Co<absl::Status> PluginHost::serve(TaskGroup& group, PluginHost* self) {
  SetWhileRunning running(self->group_, group);
  Event never;
  co_await never.wait();
  co_return absl::OkStatus();
}

Co<void> PluginHost::drain(PluginHost* self, PluginSlot* slot, GenerationRef generation) {
  const bool gone = co_await self->drained(slot, generation);
  if (gone) co_await self->retire(slot, std::move(generation));
}

// False: it was taken back meanwhile.
Co<bool> PluginHost::drained(PluginSlot* slot, GenerationRef generation) {
  const absl::Time latest = context_->loop.now() + options_.drain_timeout;
  absl::Status in_time = absl::DeadlineExceededError("");
  while (!in_time.ok() && context_->loop.now() < latest) {
    const absl::Time look = std::min(latest, context_->loop.now() + kLook);
    in_time = co_await timeout_at(look, generation->idle().wait());
    if (generation->state() != GenerationState::kDraining) co_return false;
    if (in_time.ok() || slot->previous() != generation) continue;
    const bool back = co_await went_back(slot);
    if (back) co_return false;
  }
  if (!in_time.ok()) {
    say(StageLogLevel::kWarning, slot->id(),
        refusal(191, generation->identity().version,
                absl::StrCat(generation->calls(), " calls still running after ",
                             absl::FormatDuration(options_.drain_timeout),
                             ", cancelled and tried again on the new version"))
            .message());
    generation->preempt();
    co_await generation->idle().wait();
    if (generation->state() != GenerationState::kDraining) co_return false;
  }
  if (slot->previous() != generation) co_return true;
  generation->set_state(GenerationState::kWarm);
  const absl::Time until = context_->loop.now() + options_.rollback_window;
  while (slot->previous() == generation && generation->state() == GenerationState::kWarm) {
    slot->changed().clear();
    const absl::Time look = std::min(until, context_->loop.now() + kLook);
    absl::Status changed = co_await timeout_at(look, slot->changed().wait());
    if (changed.ok()) continue;
    const bool back = co_await went_back(slot);
    if (back || context_->loop.now() < until) continue;
    if (slot->previous() == generation) slot->retire_previous();
  }
  co_return generation->state() == GenerationState::kWarm;
}

Co<void> PluginHost::retire(PluginSlot* slot, GenerationRef generation) {
  generation->set_state(GenerationState::kRetired);
  co_await generation->close();
  if (generation->kept()) context_->kept.push_back(generation);
  if (retired_.size() >= kRetiredListed) retired_.erase(retired_.begin());
  PluginInfo& info = retired_[absl::StrCat(slot->id(), " ", generation->label())];
  info = info_of(*generation);
  info.stages.clear();
  slot->remove(*generation);
}

void PluginHost::say(StageLogLevel level, std::string_view plugin,
                     absl::string_view message) const {
  if (!options_.log) return;
  StageLogRecord record;
  record.plugin_id = plugin;
  record.level = level;
  record.message = std::string_view(message.data(), message.size());
  options_.log(record);
}

}  // namespace fermata

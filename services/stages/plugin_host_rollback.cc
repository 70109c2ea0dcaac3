// The part of PluginHost that takes a version back: by hand, or because it does worse than the one
// before. What was taken back is denied until somebody allows it again.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/stages/absl_view.h"
#include "services/stages/plugin_host.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

// By itself, a plugin is rolled back at most this often.
constexpr absl::Duration kAutomaticEvery = absl::Hours(1);

std::string killed(const PluginGeneration& generation) {
  const PluginIdentity& identity = generation.identity();
  return std::string(refusal(190, absl::StrCat(identity.id, " ", identity.version),
                             absl::StrCat("rolled back: it killed its process ",
                                          generation.tally().lost, " times"))
                         .message());
}

double error_rate(uint64_t failed, uint64_t ended) {
  return ended == 0 ? 0 : 100.0 * static_cast<double>(failed) / static_cast<double>(ended);
}

}  // namespace

absl::StatusOr<PluginSlot*> PluginHost::find_slot(std::string_view plugin) const {
  PluginSlot* found = nullptr;
  for (const auto& [id, slot] : slots_) {
    if (slot->id() == plugin) return slot.get();
    // Of what was refused there is a slot, too.
    if (slot->short_name() != plugin || slot->generations().empty()) continue;
    if (found != nullptr) {
      return absl::FailedPreconditionError(absl::StrCat("'", absl_view(plugin), "' is ",
                                                        found->id(), " and ", id,
                                                        " - write the full plugin id"));
    }
    found = slot.get();
  }
  if (found != nullptr) return found;
  return absl::NotFoundError(
      absl::StrCat("no plugin '", absl_view(plugin), "' is loaded - `fermata plugins` lists them"));
}

Co<absl::StatusOr<std::string>> PluginHost::rollback(std::string plugin, std::string why) {
  Lock::Guard guard = co_await loading_.acquire();
  absl::StatusOr<PluginSlot*> named = find_slot(plugin);
  if (!named.ok()) co_return named.status();
  PluginSlot* const slot = *named;
  if (slot->canary() != nullptr) {
    const GenerationRef canary = slot->canary();
    co_return co_await withdraw(slot, canary, std::move(why));
  }
  const GenerationRef bad = slot->active();
  absl::Status back = co_await go_back(slot);
  if (!back.ok()) co_return back;
  co_return co_await withdraw(slot, bad, std::move(why));
}

// Makes the version before active again: at once while it is warm, else from our copy of its bytes.
Co<absl::Status> PluginHost::go_back(PluginSlot* slot) {
  const GenerationRef warm = slot->previous();
  if (warm != nullptr) {
    switch_to(*slot, warm);
    co_return absl::OkStatus();
  }
  const PluginIdentity before = slot->retired();
  if (slot->active() == nullptr || before.sha256.empty()) {
    co_return absl::FailedPreconditionError(
        absl::StrCat(slot->id(), " has no version to go back to: ",
                     slot->active() == nullptr ? "none" : slot->active()->label(),
                     " is active, and nothing was before it since this server started"));
  }
  TakenPlugin taken = co_await offload(&retake_plugin, before.file, before.sha256, take_options());
  FileReport report;
  report.status = taken.status;
  if (report.status.ok()) {
    report.status = co_await load_taken(taken, LoadReason::kRollback, &report);
  }
  audit(taken, report);
  if (report.status.ok()) slot->forget_retired();
  co_return report.status;
}

// It is not active any more: denied, drained, never warm.
Co<absl::StatusOr<std::string>> PluginHost::withdraw(PluginSlot* slot, GenerationRef bad,
                                                     std::string why) {
  if (slot->canary() == bad) slot->set_canary(nullptr, 0);
  if (slot->previous() == bad) slot->forget_previous();
  ++counts_.rolled_back;
  const PluginIdentity identity = bad->identity();
  denied_.add(identity.sha256, DeniedList::Entry{identity.id, identity.version, why});
  review(*slot);
  name_routes();
  std::string text =
      absl::StrCat(slot->id(), " ", bad->label(), " was rolled back to ",
                   slot->active() == nullptr ? "nothing" : slot->active()->label(), ": ", why);
  say(StageLogLevel::kWarning, slot->id(), text);
  absl::Status saved = co_await save_denied();
  if (!saved.ok()) {
    absl::StrAppend(&text, "; a restart will load it again: ", saved.message());
  }
  co_return text;
}

Co<absl::Status> PluginHost::save_denied() {
  if (options_.denied_file.empty()) {
    co_return absl::FailedPreconditionError("plugins.denied is not set");
  }
  absl::Status saved = co_await offload(&DeniedList::save, options_.denied_file, denied_);
  if (!saved.ok()) say(StageLogLevel::kError, "", saved.message());
  co_return saved;
}

Co<absl::StatusOr<std::string>> PluginHost::allow(std::string sha256) {
  Lock::Guard guard = co_await loading_.acquire();
  const DeniedList::Entry* entry = denied_.find(sha256);
  if (entry == nullptr) {
    co_return absl::NotFoundError(absl::StrCat(sha256.substr(0, 12), "... is not denied"));
  }
  std::string text = absl::StrCat(entry->id, " ", entry->version, " may be loaded again");
  denied_.remove(sha256);
  absl::Status saved = co_await save_denied();
  if (!saved.ok()) absl::StrAppend(&text, "; not remembered: ", saved.message());
  co_return text;
}

// ---- canary -----------------------------------------------------------------------------------

// New attempts go to it in growing shares; in the end it is active, or gone.
Co<void> PluginHost::canary(PluginHost* self, PluginSlot* slot, GenerationRef generation) {
  const CanaryOptions& plan = self->options_.canary;
  const GenerationTally before = slot->active()->tally();
  for (const int percent : plan.steps) {
    slot->set_canary(generation, percent);
    const absl::Time since = now();
    const uint64_t ended = generation->tally().ended;
    while (now() - since < plan.step_time || generation->tally().ended - ended < plan.attempts) {
      co_await sleep(absl::Seconds(1));
      if (slot->canary() != generation) co_return;
      std::string fault = self->fault_of(*generation, *slot->active(), before);
      if (fault.empty()) continue;
      Lock::Guard guard = co_await self->loading_.acquire();
      if (slot->canary() != generation) co_return;
      absl::StatusOr<std::string> said =
          co_await self->withdraw(slot, std::move(generation), std::move(fault));
      co_return;
    }
  }
  Lock::Guard guard = co_await self->loading_.acquire();
  if (slot->canary() != generation) co_return;
  slot->set_canary(nullptr, 0);
  self->say(StageLogLevel::kInfo, slot->id(),
            absl::StrCat(generation->label(), " is active after its canary"));
  self->switch_to(*slot, generation);
}

// What is worse in the canary than in the active version; empty: nothing, or too little is known.
std::string PluginHost::fault_of(const PluginGeneration& canary, const PluginGeneration& active,
                                 const GenerationTally& before) const {
  const GenerationTally& now = canary.tally();
  if (now.lost >= kLostMax) return killed(canary);
  if (now.ended < options_.canary.attempts) return "";
  const double is = error_rate(now.failed, now.ended);
  const double was =
      error_rate(active.tally().failed - before.failed, active.tally().ended - before.ended);
  if (is <= was + options_.canary.error_points) return "";
  return std::string(
      refusal(190, absl::StrCat(canary.identity().id, " ", canary.identity().version),
              absl::StrFormat("rolled back after %d attempts: %.1f %% errors vs %.1f %% on %s",
                              now.ended, is, was, active.identity().version))
          .message());
}

// While the version before is warm: if the new one keeps killing its process, go back.
Co<bool> PluginHost::went_back(PluginSlot* slot) {
  const GenerationRef active = slot->active();
  if (active == nullptr || active->tally().lost < kLostMax) co_return false;
  if (now() - slot->last_automatic < kAutomaticEvery) {
    if (std::exchange(slot->last_spared, active->label()) != active->label()) {
      say(StageLogLevel::kWarning, slot->id(),
          absl::StrCat(active->label(), " killed its process ", active->tally().lost,
                       " times; it stays, since a plugin is rolled back by itself at most once in ",
                       absl::FormatDuration(kAutomaticEvery), " - fermata plugin rollback ",
                       slot->id()));
    }
    co_return false;
  }
  Lock::Guard guard = co_await loading_.acquire();
  // Somebody may have brought another version meanwhile, which is not the one to blame.
  if (slot->active() != active) co_return false;
  slot->last_automatic = now();
  absl::Status back = co_await go_back(slot);
  if (!back.ok()) co_return false;
  absl::StatusOr<std::string> said = co_await withdraw(slot, active, killed(*active));
  co_return said.ok();
}

}  // namespace fermata

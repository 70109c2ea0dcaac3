// The part of PluginHost that takes a file from the folder to a generation that serves.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/inproc_generation.h"
#include "services/stages/plugin_host.h"
#include "services/stages/plugin_probe.h"
#include "services/stages/stage_configs.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

PluginIdentity identity_of(const TakenPlugin& taken) {
  PluginIdentity identity;
  identity.id = taken.note.id;
  identity.short_name = short_plugin_name(taken.note.id);
  identity.version = taken.note.version;
  identity.file = taken.file;
  identity.sha256 = taken.sha256;
  return identity;
}

// Then its code has proved itself here.
bool image_in_use(const PluginSlot& slot, const std::string& sha256) {
  for (const PluginSlot::Image& image : slot.images) {
    if (image.sha256 == sha256 && image.plugin->in_use()) return true;
  }
  return false;
}

bool serves(const PluginGeneration& generation) {
  return generation.state() == GenerationState::kActive ||
         generation.state() == GenerationState::kCanary ||
         generation.state() == GenerationState::kPinned;
}

}  // namespace

Co<LoadReport> PluginHost::load_all() {
  LoadReport report;
  context_->thread = std::this_thread::get_id();
  if (options_.folder.empty()) co_return report;
  absl::StatusOr<std::vector<std::string>> files =
      co_await offload(&open_plugin_folder, options_.folder, options_.private_dir);
  report.status = files.status();
  if (!files.ok()) co_return report;
  if (!options_.denied_file.empty()) {
    absl::StatusOr<DeniedList> denied = co_await offload(&DeniedList::load, options_.denied_file);
    report.status = denied.status();
    if (!denied.ok()) co_return report;
    denied_ = *std::move(denied);
  }
  Lock::Guard guard = co_await loading_.acquire();
  for (const std::string& file : *files) {
    FileReport loaded = co_await load_locked(file, LoadReason::kStart);
    if (loaded.status.ok()) {
      ++report.loaded;
    } else {
      ++report.refused;
      report.refusals.emplace_back(loaded.status.message());
    }
  }
  started_ = true;
  co_return report;
}

Co<absl::Status> PluginHost::add_plugin(std::string file, const fermata_plugin* descriptor) {
  context_->thread = std::this_thread::get_id();
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> plugin =
      LoadedPlugin::from_descriptor(file, descriptor);
  if (!plugin.ok()) co_return plugin.status();
  absl::Status status = (*plugin)->init();
  if (!status.ok()) co_return status;
  TakenPlugin taken;
  taken.file = std::move(file);
  taken.note.id = std::string((*plugin)->id());
  taken.note.version = std::string((*plugin)->version());
  PluginSlot& slot = slot_of(taken.note.id);
  std::shared_ptr<LoadedPlugin> image = *std::move(plugin);
  auto generation = std::make_shared<InprocGeneration>(*context_, image, identity_of(taken),
                                                       slot.series_for(stage_infos(*image)));
  status = co_await start_generation(&slot, std::move(generation), LoadReason::kDropped);
  if (!status.ok()) refuse(taken, status);
  co_return status;
}

Co<FileReport> PluginHost::load_file(std::string file, LoadReason reason) {
  Lock::Guard guard = co_await loading_.acquire();
  co_return co_await load_locked(std::move(file), reason);
}

TakeOptions PluginHost::take_options() const {
  TakeOptions from;
  from.folder = options_.folder;
  from.private_dir = options_.private_dir;
  from.lock = options_.lock;
  from.facts = facts();
  return from;
}

Co<FileReport> PluginHost::load_locked(std::string file, LoadReason reason) {
  FileReport report;
  TakenPlugin taken = co_await offload(&take_plugin, std::move(file), take_options());
  report.id = taken.note.id;
  if (!taken.note.id.empty()) report.label = identity_of(taken).label();
  bool known = false;
  report.status = judge(taken, reason, &known);
  if (known) {
    ++counts_.unchanged;
    co_return report;
  }
  report.fresh = true;
  if (report.status.ok()) report.status = check_placement(taken);
  if (report.status.ok()) {
    report.status = co_await load_taken(taken, reason, &report);
  }
  ++(report.status.ok() ? counts_.loaded : counts_.refused);
  if (!report.status.ok()) refuse(taken, report.status);
  audit(taken, report);
  if (report.status.ok()) warn_of_namesake(slot_of(taken.note.id));
  co_return report;
}

// Whether it may be loaded; `known`: nothing is to be done about it.
absl::Status PluginHost::judge(const TakenPlugin& taken, LoadReason reason, bool* known) {
  const auto refused = refused_.find(taken.file);
  if (reason == LoadReason::kRescan && refused != refused_.end() &&
      refused->second.sha256 == taken.sha256 &&
      (!taken.sha256.empty() || refused->second.refusal == taken.status.message())) {
    *known = true;
    return absl::FailedPreconditionError(refused->second.refusal);
  }
  if (!taken.status.ok()) return taken.status;
  if (const DeniedList::Entry* denied = denied_.find(taken.sha256)) {
    return refusal(134, taken.file,
                   absl::StrCat(denied->id, " ", denied->version, " (", taken.sha256.substr(0, 8),
                                ") was rolled back: ", denied->why,
                                " - raise the version, or fermata plugin allow ", taken.file));
  }
  const PluginSlot& slot = slot_of(taken.note.id);
  for (const GenerationRef& generation : slot.generations()) {
    const bool same = generation->identity().sha256 == taken.sha256 &&
                      generation->identity().file == taken.file && serves(*generation);
    // A version that only runs for those who name it comes back by being dropped again.
    const bool first =
        generation == slot.active() || generation == slot.canary() || reason == LoadReason::kRescan;
    if (!same || !first) continue;
    present_[taken.file] = taken.sha256;
    refused_.erase(taken.file);
    *known = reason != LoadReason::kAsked;
    return absl::OkStatus();
  }
  return check_version(taken, slot);
}

void PluginHost::audit(const TakenPlugin& taken, const FileReport& report) const {
  const bool ok = report.status.ok();
  say(ok ? StageLogLevel::kInfo : StageLogLevel::kWarning,
      taken.note.id.empty() ? std::string_view("plugins") : taken.note.id,
      absl::StrCat("load file=", taken.file, " uid=", taken.owner,
                   " version=", taken.note.version.empty() ? "-" : taken.note.version,
                   " sha256=", taken.sha256.empty() ? "-" : taken.sha256,
                   " placement=", options_.placements.isolated(taken.note) ? "isolated" : "inproc",
                   " result=", ok ? "loaded" : "refused", report.before.empty() ? "" : " before=",
                   report.before, ok ? "" : ": ", report.status.message()));
}

Co<absl::StatusOr<GenerationRef>> PluginHost::inproc_generation(PluginSlot* slot,
                                                                TakenPlugin taken) {
  if (!image_in_use(*slot, taken.sha256)) {
    ProbeSubject subject;
    subject.file = taken.file;
    subject.path = taken.path;
    subject.id = taken.note.id;
    subject.version = taken.note.version;
    subject.config = config_of(identity_of(taken));
    // Not all of the server's: that may hold secrets, and LD_* would change what is tried.
    subject.environment = environment_of(options_.placements.of(taken.note).confinement);
    absl::Status probed = co_await offload(&probe_plugin, std::move(subject), options_.probe);
    if (!probed.ok()) co_return probed;
  }
  absl::StatusOr<std::shared_ptr<LoadedPlugin>> image = co_await image_of(slot, taken);
  if (!image.ok()) co_return image.status();
  GenerationRef generation = std::make_shared<InprocGeneration>(
      *context_, *image, identity_of(taken), slot->series_for(stage_infos(**image)));
  co_return generation;
}

Co<absl::Status> PluginHost::load_taken(TakenPlugin taken, LoadReason reason, FileReport* report) {
  PluginSlot* slot = &slot_of(taken.note.id);
  if (slot->active() != nullptr) report->before = slot->active()->label();
  GenerationRef generation;
  if (options_.placements.isolated(taken.note)) {
    // Its own process proves it: nothing of it runs here.
    absl::StatusOr<GenerationRef> isolated =
        co_await isolated_generation(slot, taken, identity_of(taken));
    if (!isolated.ok()) co_return isolated.status();
    generation = *std::move(isolated);
  } else {
    absl::StatusOr<GenerationRef> inproc = co_await inproc_generation(slot, taken);
    if (!inproc.ok()) co_return inproc.status();
    generation = *std::move(inproc);
  }
  // What is asked of the folder from now on; the version that came from this file goes.
  const auto [entry, fresh] = present_.try_emplace(taken.file);
  const std::string before = std::exchange(entry->second, taken.sha256);
  absl::Status started = co_await start_generation(slot, generation, reason);
  if (started.ok()) {
    report->state = generation->state();
    refused_.erase(taken.file);
  } else if (before.empty()) {
    present_.erase(taken.file);
  } else {
    present_[taken.file] = before;
  }
  co_return started;
}

absl::Status PluginHost::check_version(const TakenPlugin& taken, const PluginSlot& slot) const {
  for (const GenerationRef& generation : slot.generations()) {
    const PluginIdentity& other = generation->identity();
    if (!serves(*generation) || other.version != taken.note.version) continue;
    if (other.file == taken.file && other.sha256 != taken.sha256) {
      return refusal(
          132, taken.file,
          absl::StrCat(other.id, " ", other.version, " is ",
                       kGenerationStateNames[static_cast<size_t>(generation->state())],
                       " already with other bytes (", other.sha256.substr(0, 8), ", this one is ",
                       taken.sha256.substr(0, 8), ") - raise the version"));
    }
    const auto present = present_.find(other.file);
    if (other.file == taken.file || present == present_.end()) continue;
    if (present->second != other.sha256) continue;
    return refusal(
        132, taken.file,
        absl::StrCat(other.id, " ", other.version, " is already loaded from ", other.file, " (",
                     other.version, ", ", other.sha256.substr(0, 8), ", this one is ",
                     taken.sha256.substr(0, 8), ") - keep one of the two files"));
  }
  return absl::OkStatus();
}

Co<absl::StatusOr<std::shared_ptr<LoadedPlugin>>> PluginHost::image_of(PluginSlot* slot,
                                                                       TakenPlugin taken) {
  std::vector<const void*> known;
  size_t stopped = 0;  // mapped copies of the same bytes
  for (const PluginSlot::Image& image : slot->images) {
    known.push_back(image.plugin->image());
    if (image.sha256 != taken.sha256) continue;
    if (image.plugin->in_use()) co_return image.plugin;
    ++stopped;
  }
  if (slot->images.size() >= kMaxImages) {
    co_return refusal(193, taken.file,
                      absl::StrCat(slot->images.size() - 1, " versions of ", slot->id(),
                                   " are retired and stay mapped, at most ", kMaxImages - 1,
                                   " may - restart the server, or run this plugin in a process "
                                   "of its own"));
  }
  std::string fresh_path;
  if (stopped > 0) {
    fresh_path =
        absl::StrCat(options_.private_dir, "/", taken.sha256, "-", slot->images.size(), ".so");
  }
  std::string sha256 = taken.sha256;
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> mapped =
      co_await offload(&map_plugin, std::move(taken), std::move(fresh_path), std::move(known));
  if (!mapped.ok()) co_return mapped.status();
  std::shared_ptr<LoadedPlugin> plugin = *std::move(mapped);
  slot->images.push_back({std::move(sha256), plugin});
  co_return plugin;
}

// The plugin's section of the configuration.
std::string PluginHost::config_of(const PluginIdentity& identity) const {
  auto given = options_.config.find(identity.id);
  if (given == options_.config.end()) given = options_.config.find(identity.short_name);
  return given == options_.config.end() ? "{}" : given->second;
}

Co<absl::Status> PluginHost::start_generation(PluginSlot* slot, GenerationRef generation,
                                              LoadReason reason) {
  closed_ = false;
  absl::StatusOr<std::vector<std::string>> configs =
      stage_configs(generation->stages(), config_of(generation->identity()));
  absl::Status status = configs.status();
  if (status.ok()) status = co_await generation->create(*std::move(configs));
  if (!status.ok()) {
    generation->set_state(GenerationState::kFailed);
    co_await shield(generation->close());  // the last reference may be this one
    if (generation->kept()) context_->kept.push_back(generation);
    co_return status;
  }
  slot->add(generation);
  const GenerationRef& active = slot->active();
  const bool older = reason == LoadReason::kStart && active != nullptr &&
                     version_less(generation->identity().version, active->identity().version);
  if (older) {  // both are wanted, and nothing says which came later
    generation->set_state(GenerationState::kPinned);
    slot->reroute();
    name_routes();
  } else if (reason != LoadReason::kStart && reason != LoadReason::kRollback && active != nullptr &&
             group_ != nullptr && !options_.canary.steps.empty()) {
    slot->set_canary(generation, 0);
    review(*slot);  // a canary before it is not one any more
    name_routes();
    group_->spawn_named("plugin.canary", &PluginHost::canary, this, slot, generation);
  } else {
    switch_to(*slot, generation);
  }
  co_return absl::OkStatus();
}

PluginSlot& PluginHost::slot_of(std::string_view id) {
  std::unique_ptr<PluginSlot>& slot = slots_[std::string(id)];
  if (slot == nullptr) {
    slot = std::make_unique<PluginSlot>(std::string(id), short_plugin_name(id));
  }
  return *slot;
}

// Of another plugin whose id ends in the same word, unless the word leads to this one alone.
void PluginHost::warn_of_namesake(const PluginSlot& slot) const {
  const bool mine = std::all_of(slot.routes().begin(), slot.routes().end(), [&](const auto& each) {
    const auto named = by_use_.find(absl::StrCat(slot.short_name(), "/", each.first));
    return named != by_use_.end() && named->second == each.second;
  });
  if (mine) return;
  for (const auto& [id, other] : slots_) {
    if (other.get() == &slot || other->short_name() != slot.short_name()) continue;
    if (other->active() == nullptr) continue;
    say(StageLogLevel::kWarning, slot.id(),
        absl::StrCat(id, " is called '", slot.short_name(), "' too: ",
                     started_ ? "it keeps that name until the next start; from then on, and now "
                                "for this one, "
                              : "by that name neither can be called: ",
                     "pipelines have to write the full plugin id"));
  }
}

void PluginHost::refuse(const TakenPlugin& taken, const absl::Status& why) {
  if (refused_.size() >= kMaxRefused) refused_.erase(refused_.begin());
  PluginInfo& info = refused_[taken.file];
  info = PluginInfo();
  info.id = taken.note.id;
  if (!taken.note.id.empty()) info.short_name = short_plugin_name(taken.note.id);
  info.version = taken.note.version;
  info.file = taken.file;
  info.sha256 = taken.sha256;
  info.refusal = std::string(why.message());
}

void PluginHost::file_gone(const std::string& file) {
  refused_.erase(file);
  const auto found = present_.find(file);
  if (found == present_.end()) return;
  const std::string sha256 = found->second;
  present_.erase(found);
  for (const auto& [id, slot] : slots_) {
    const GenerationRef& active = slot->active();
    if (active != nullptr && active->identity().file == file &&
        active->identity().sha256 == sha256) {
      say(StageLogLevel::kWarning, id,
          absl::StrCat(file, " is gone from the folder; ", active->label(),
                       " goes on until another version comes, or the next start"));
    }
    review(*slot);
  }
}

}  // namespace fermata

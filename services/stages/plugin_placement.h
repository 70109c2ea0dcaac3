// PluginPlacement: where a plugin's code runs, and with what limits: plugins.isolation of
// fermata.yaml.
#ifndef SERVICES_STAGES_PLUGIN_PLACEMENT_H_
#define SERVICES_STAGES_PLUGIN_PLACEMENT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "services/stages/isolated/confinement.h"
#include "services/stages/plugin_note.h"

namespace fermata {

enum class Placement : uint8_t {
  kAuto,    // in the server, unless the plugin asks for a process of its own or crashed the server
  kInproc,  // in the server
  kIsolated,  // in a process of its own
};

struct PluginPlacement {
  Placement placement = Placement::kAuto;
  // How long its process may not answer before it is taken for hung. It is asked five times in
  // that.
  absl::Duration hang = absl::Seconds(5);
  // How long its process and the server look for each other's answers before they sleep, when the
  // last ones came at once (isolated/reply_pace.h). Zero: not at all.
  absl::Duration busy_poll = absl::Microseconds(100);
  Confinement confinement;
};

// What is known of all plugins.
struct Placements {
  std::string program;  // fermata-plugin-host; empty: none, every plugin runs in the server
  PluginPlacement standard;
  std::map<std::string, PluginPlacement> plugins;  // by short name or id; others are as `standard`
  std::set<std::string> blamed;                    // ids of those that crashed the server

  // For the plugin of this note.
  const PluginPlacement& of(const PluginNote& note) const;
  bool isolated(const PluginNote& note) const;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_PLACEMENT_H_

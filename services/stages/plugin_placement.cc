#include "services/stages/plugin_placement.h"

#include "plugins/abi/fermata_abi.h"

namespace fermata {

const PluginPlacement& Placements::of(const PluginNote& note) const {
  auto found = plugins.find(note.id);
  if (found == plugins.end()) found = plugins.find(short_plugin_name(note.id));
  return found == plugins.end() ? standard : found->second;
}

bool Placements::isolated(const PluginNote& note) const {
  switch (of(note).placement) {
    case Placement::kInproc:
      return false;
    case Placement::kIsolated:
      return true;
    case Placement::kAuto:
      return (note.flags & FERMATA_PLUGIN_ISOLATE) != 0 || blamed.contains(note.id);
  }
  return false;
}

}  // namespace fermata

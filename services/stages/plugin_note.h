// PluginNote: the `.note.fermata` of a plugin file: who it is and what it needs, known before any
// of its code can run.
#ifndef SERVICES_STAGES_PLUGIN_NOTE_H_
#define SERVICES_STAGES_PLUGIN_NOTE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/stages/elf_image.h"

namespace fermata {

struct PluginNote {
  uint16_t abi_major = 0;
  uint16_t abi_minor = 0;
  uint16_t min_host_minor = 0;
  uint16_t flags = 0;
  std::string id;
  std::string version;
  std::string sdk;
};

// NotFound without a note; InvalidArgument when it is cut or its texts are not what they should be.
absl::StatusOr<PluginNote> find_plugin_note(const ElfImage& image);

// The id's last part: "dev.fermata.http" is "http" in a pipeline's `use`.
std::string short_plugin_name(std::string_view id);
// Reverse-DNS: lower-case parts of letters, digits, '_' and '-', joined by dots, at least two.
bool valid_plugin_id(std::string_view id);
// ^[a-z][a-z0-9_-]{0,47}$
bool valid_stage_name(std::string_view name);
// MAJOR.MINOR.PATCH, then anything that SemVer allows after '-' or '+'.
bool valid_version(std::string_view version);

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_NOTE_H_

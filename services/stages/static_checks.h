// Static checks: everything that makes a plugin file unfit and can be seen in its bytes, before
// dlopen.
//
// Each refusal reads `PLG-nnn file: what, with both values - what to do`; the numbers are stable
// and documented in README.md. Any thread.
#ifndef SERVICES_STAGES_STATIC_CHECKS_H_
#define SERVICES_STAGES_STATIC_CHECKS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/stages/elf_image.h"
#include "services/stages/library_finder.h"
#include "services/stages/plugin_note.h"

namespace fermata {

// What this server is, so that tests can be another one.
struct HostFacts {
  uint16_t machine = 0;
  uint16_t abi_major = 0;
  uint16_t abi_minor = 0;
  std::string glibc;  // "2.36"
  // Whether the plugin of this note runs in a process of its own; null: none does. Any thread.
  std::function<bool(const PluginNote& note)> own_process;

  static HostFacts here();
};

// FailedPrecondition: "PLG-101 fetch.so: ...".
absl::Status refusal(int number, std::string_view file, std::string_view what);

// A name that stands in the file, for a text: it may be of any length, and of bytes that are none.
std::string shown(std::string_view name);

// Whether all that it links to is there, and is nobody's but the system's.
absl::Status check_dependencies(std::string_view file, const ElfImage& image,
                                std::string_view directory, const LibraryFinder& finder);

// `directory` is where the file came from: what $ORIGIN in its run path means.
absl::StatusOr<PluginNote> check_plugin_bytes(std::string_view file, std::string_view bytes,
                                              std::string_view directory,
                                              const LibraryFinder& finder, const HostFacts& host);

}  // namespace fermata

#endif  // SERVICES_STAGES_STATIC_CHECKS_H_

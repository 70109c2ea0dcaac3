// Files of this repository inside the program, by their path: what `fermata plugin new` unpacks.
// Constant; any thread.
#ifndef SERVICES_PLUGIN_KIT_EMBEDDED_FILES_H_
#define SERVICES_PLUGIN_KIT_EMBEDDED_FILES_H_

#include <span>
#include <string_view>

namespace fermata::kit {

struct EmbeddedFile {
  std::string_view path;
  std::string_view text;
};

std::span<const EmbeddedFile> embedded_files();  // sorted by path

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_EMBEDDED_FILES_H_

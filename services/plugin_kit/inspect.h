// What a plugin file says about itself, without running any of its code.
//
// Stages and their schemas are made by its code and are therefore not here. Pure; any thread.
#ifndef SERVICES_PLUGIN_KIT_INSPECT_H_
#define SERVICES_PLUGIN_KIT_INSPECT_H_

#include <string>

#include "absl/status/statusor.h"

namespace fermata::kit {

enum class Format { kText, kJson };

// NotFound: cannot be read. InvalidArgument: not an ELF file.
absl::StatusOr<std::string> inspect_file(const std::string& path, Format format);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_INSPECT_H_

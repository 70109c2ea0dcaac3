// Landlock: files and TCP ports that a plugin's process may reach. The kernel's own mechanism for
// processes without privileges, since 5.13 for files and 6.7 for ports.
#ifndef SERVICES_STAGES_ISOLATED_LANDLOCK_H_
#define SERVICES_STAGES_ISOLATED_LANDLOCK_H_

#include <string>

#include "absl/status/status.h"
#include "services/stages/isolated/confinement.h"

namespace fermata {

// For this thread and those it starts, for ever; needs no_new_privs. Unimplemented: not in this
// kernel. NotFound: a path of the confinement is not there.
absl::Status apply_landlock(const Confinement& confinement, const std::string& library);

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_LANDLOCK_H_

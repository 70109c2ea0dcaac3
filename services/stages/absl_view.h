// absl_view: a std::string_view as Abseil's. Debian's Abseil is built with its own string_view
// type, which does not convert from the standard one.
#ifndef SERVICES_STAGES_ABSL_VIEW_H_
#define SERVICES_STAGES_ABSL_VIEW_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace fermata {

inline absl::string_view absl_view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace fermata

#endif  // SERVICES_STAGES_ABSL_VIEW_H_

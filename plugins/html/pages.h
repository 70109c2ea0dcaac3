// One page or many: the `html` option is a string, null, or an array of both, and the answer has
// the same shape. A null page (one that could not be fetched) answers [] so that positions still
// match.
#ifndef FERMATA_PLUGINS_HTML_PAGES_H_
#define FERMATA_PLUGINS_HTML_PAGES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "services/config/json.h"

namespace fermata::html {

// Calls `one(page, index, out)` for each page, which appends a JSON array to `out`; an error of a
// page in an array is reported with its index.
absl::Status for_each_page(
    const JsonValue& html, std::string* out,
    absl::FunctionRef<absl::Status(std::string_view, std::size_t, std::string*)> one);

}  // namespace fermata::html

#endif  // FERMATA_PLUGINS_HTML_PAGES_H_

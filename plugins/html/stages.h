// The stages' work as plain functions from JSON to JSON: they run on the loop for small pages and
// on the offload pool for large ones. Any thread.
#ifndef FERMATA_PLUGINS_HTML_STAGES_H_
#define FERMATA_PLUGINS_HTML_STAGES_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "plugins/html/document.h"

namespace fermata::html {

absl::StatusOr<Limits> read_limits(std::string_view config_json);

// {html, xpath, attribute, text, limit}: what an XPath expression finds in one page or in many.
absl::StatusOr<std::string> select(std::string_view input, const Limits& limits, Stop stop);

// {html, base, xpath, schemes, unique, fragments, same_host}: the absolute URLs a page links to.
absl::StatusOr<std::string> links(std::string_view input, const Limits& limits, Stop stop);

}  // namespace fermata::html

#endif  // FERMATA_PLUGINS_HTML_STAGES_H_

#pragma once

// What can be found out about a pipeline before it runs, beyond its form: do its stages exist, do
// their inputs fit, can its references lead anywhere. Private to the loader.

#include <vector>

#include "services/config/json_schema.h"
#include "services/pipeline/stage_parse.h"

namespace fermata {

// Unknown stages, and `with` objects that their stage's schema refuses whatever the references
// give.
void check_catalog(YamlErrors& errors, const std::vector<StageDraft>& drafts,
                   const StageCatalog& catalog);

// References into an input that the schema never lets exist, and past the array that a stage with
// `each` gives. `input` may be null; `result_node` too.
void check_references(YamlErrors& errors, const std::vector<StageDraft>& drafts,
                      const JsonSchema* input, const Template& result, const YamlNode* result_node);

}  // namespace fermata

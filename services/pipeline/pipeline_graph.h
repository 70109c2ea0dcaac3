#pragma once

// The graph of a pipeline file: puts the stages in an order in which each comes after what it
// needs, or names a cycle. Private to the loader.

#include <vector>

#include "services/pipeline/stage_parse.h"

namespace fermata {

// Sorts drafts topologically (file order where the graph leaves a choice), fills
// PipelineStage::after and renumbers every reference, in the stages and in `result`. A cycle is
// reported by its names, and the drafts stay as they are.
void sort_stages(YamlErrors& errors, std::vector<StageDraft>* drafts, Template* result);

}  // namespace fermata

#pragma once

// One stage of a pipeline file, read but not yet connected. Private to the loader (pipeline_*.cc),
// which runs on one thread and drops its drafts at the end.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "services/config/yaml_reader.h"
#include "services/pipeline/pipeline.h"

namespace fermata {

// Where a stage says that it needs another one.
struct Dependency {
  int stage = -1;
  YamlMark mark;
};

struct StageDraft {
  PipelineStage stage;
  YamlMark mark;                  // of its name
  const YamlNode* use = nullptr;  // null where the file has no such key
  const YamlNode* each = nullptr;
  const YamlNode* when = nullptr;
  const YamlNode* with = nullptr;
  std::vector<Dependency> needs;  // named in `after` or implied by references
};

// Keys of later versions: refused, with the reason.
const std::vector<std::string>& later_stage_keys();

// Reads one stage; `names` are all stages of the file by index. Every mistake goes to `errors`.
StageDraft parse_stage(YamlErrors& errors, const YamlMember& member,
                       absl::Span<const std::string> names);

// A template from YAML; mistakes are reported at the string they are in.
Template parse_template(YamlErrors& errors, const YamlNode& node, std::string_view path,
                        const ReferenceScope& scope);

// The node that a JSON Pointer leads to, or the last one on the way that exists.
const YamlNode& yaml_at(const YamlNode& node, std::string_view pointer);

// Letters, digits, '_' and '-', starting with a letter or '_', at most 63: names are metric labels.
bool is_name(std::string_view text);

// plugin/stage or plugin/stage@version
bool is_use(std::string_view text);

}  // namespace fermata

#include "services/pipeline/pipeline_checks.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "services/config/nearest_name.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

// The strings of a template that have references, or an escape, in them.
void collect_unknown(const JsonValue& value, JsonSchema::Unknown* unknown) {
  if (value.IsString()) {
    if (as_string_view(value).find("${") != std::string_view::npos) unknown->insert(&value);
  } else if (value.IsArray()) {
    for (const JsonValue& item : value.GetArray()) collect_unknown(item, unknown);
  } else if (value.IsObject()) {
    for (const auto& member : value.GetObject()) collect_unknown(member.value, unknown);
  }
}

void check_with(YamlErrors& errors, const StageDraft& draft, const JsonSchema& schema) {
  JsonDocument with;
  with.CopyFrom(draft.stage.with.source(), with.GetAllocator());
  absl::Status filled = schema.fill_defaults(with, with.GetAllocator());
  if (!filled.ok()) return;     // only at run is it certain
  JsonSchema::Unknown unknown;  // after filling, which moves members
  collect_unknown(with, &unknown);
  std::optional<SchemaViolation> violation = schema.find_violation(with, &unknown);
  if (!violation) return;
  YamlMark mark =
      draft.with == nullptr ? draft.mark : yaml_at(*draft.with, violation->pointer).mark;
  errors.add(mark, str_cat("stages.", draft.stage.name, ".with", violation->pointer),
             violation->expected, str_cat(violation->got, " (input of ", draft.stage.use, ")"));
}

std::string list_of(std::vector<std::string> names) {
  if (names.empty()) return "no stage is loaded";
  if (names.size() > 30) {
    size_t more = names.size() - 30;
    names.resize(30);
    names.push_back(str_cat("and ", more, " more"));
  }
  return str_cat("there are ", absl::StrJoin(names, ", "));
}

std::vector<std::string> property_names(const JsonSchema& schema) {
  std::vector<std::string> names;
  absl::StatusOr<JsonDocument> document = parse_json(schema.text());
  const JsonValue* properties = document.ok() ? find_member(*document, "properties") : nullptr;
  if (properties == nullptr) return names;
  for (const auto& member : properties->GetObject()) {
    names.emplace_back(as_string_view(member.name));
  }
  return names;
}

class ReferenceChecker {
 public:
  ReferenceChecker(YamlErrors& errors, const std::vector<StageDraft>& drafts,
                   const JsonSchema* input)
      : errors_(errors), drafts_(drafts), input_(input) {}

  void check(const Reference& reference, YamlMark mark, const std::string& what,
             bool array = false) {
    if (reference.root() == Reference::Root::kInput && input_ != nullptr) {
      check_input(reference, mark, what, array);
    }
    if (reference.root() == Reference::Root::kStage) check_stage(reference, mark, what);
  }

  void check_template(const Template& value, const YamlNode* node, const std::string& path) {
    if (node == nullptr) return;
    for (const Template::Use& use : value.uses()) {
      check(use.reference, yaml_at(*node, use.pointer).mark, path + use.pointer);
    }
  }

 private:
  void check_input(const Reference& reference, YamlMark mark, const std::string& what, bool array) {
    std::vector<std::string> path;
    for (const Reference::Step& step : reference.steps()) path.push_back(step.name);
    JsonTypes types = input_->types_at(path);
    std::string got = str_cat("'${", reference.text(), "}'");
    if (types == 0) {
      if (!errors_.full()) got += hint(path);
      errors_.add(mark, what, "a place that the input's schema allows", got);
    } else if (array && !reference.has_star() && (types & kJsonArray) == 0) {
      errors_.add(mark, what, "an array to go over", str_cat(got, ", which is never one"));
    }
  }

  std::string hint(const std::vector<std::string>& path) {
    if (path.empty()) return "";
    if (!input_names_.has_value()) input_names_ = property_names(*input_);
    const std::vector<std::string>& names = *input_names_;
    const bool known = std::find(names.begin(), names.end(), path[0]) != names.end();
    return known ? "" : did_you_mean(path[0], names);
  }

  void check_stage(const Reference& reference, YamlMark mark, const std::string& what) {
    const PipelineStage& stage = drafts_[static_cast<size_t>(reference.stage())].stage;
    if (!stage.each || stage.gather == GatherMode::kFirst || reference.steps().empty()) return;
    const Reference::Step& step = reference.steps()[0];
    if (step.star || step.index >= 0) return;
    std::string head = str_cat("/stages/", stage.name);
    errors_.add(
        mark, what,
        str_cat("'*' or an index after ", head, ", which has `each` and so gives an array (${",
                head, "/*", reference.text().substr(head.size()), "})"),
        str_cat("'${", reference.text(), "}'"));
  }

  YamlErrors& errors_;
  const std::vector<StageDraft>& drafts_;
  const JsonSchema* input_;
  std::optional<std::vector<std::string>> input_names_;  // when they were wanted
};

}  // namespace

void check_catalog(YamlErrors& errors, const std::vector<StageDraft>& drafts,
                   const StageCatalog& catalog) {
  for (const StageDraft& draft : drafts) {
    if (draft.use == nullptr || draft.stage.use.empty()) continue;
    const StageSignature* signature = catalog.find(draft.stage.use);
    if (signature == nullptr) {
      std::vector<std::string> names = catalog.names();
      std::string hint = did_you_mean(draft.stage.use, names);
      errors.add(draft.use->mark, str_cat("stages.", draft.stage.name, ".use"),
                 "a stage that is loaded",
                 str_cat("'", draft.stage.use, "'", hint.empty() ? ", " + list_of(names) : hint));
    } else if (signature->input_schema != nullptr) {
      check_with(errors, draft, *signature->input_schema);
    }
  }
}

void check_references(YamlErrors& errors, const std::vector<StageDraft>& drafts,
                      const JsonSchema* input, const Template& result,
                      const YamlNode* result_node) {
  ReferenceChecker checker(errors, drafts, input);
  for (const StageDraft& draft : drafts) {
    std::string path = str_cat("stages.", draft.stage.name);
    if (draft.stage.each) {
      checker.check(*draft.stage.each, draft.each->mark, path + ".each", true);
    }
    if (draft.stage.when) checker.check(*draft.stage.when, draft.when->mark, path + ".when");
    checker.check_template(draft.stage.with, draft.with, path + ".with");
  }
  checker.check_template(result, result_node, "result");
}

}  // namespace fermata

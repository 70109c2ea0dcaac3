// parse_pipeline(): file to graph. Form first, then order, then what the references and stages say;
// each part reports all it finds, and a later part only runs on what the ones before it found
// sound.
#include <utility>

#include "services/config/sha256.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/pipeline/pipeline.h"
#include "services/pipeline/pipeline_checks.h"
#include "services/pipeline/pipeline_graph.h"
#include "services/pipeline/stage_parse.h"

namespace fermata {
namespace {

constexpr size_t kMaxStages = 1000;

std::string read_name(YamlErrors& errors, YamlReader& reader) {
  std::string name = reader.required_text("pipeline");
  const YamlNode* node = reader.find("pipeline");
  if (node != nullptr && node->kind == YamlNode::Kind::kScalar && !node->is_null() &&
      !is_name(name)) {
    errors.add(node->mark, "pipeline", "at most 63 letters, digits, '_' and '-', a letter first",
               node->describe());
  }
  return name;
}

std::shared_ptr<const JsonSchema> read_input(YamlErrors& errors, YamlReader& reader,
                                             const SchemaLimits& limits) {
  const YamlNode* node = reader.find("input");
  if (node == nullptr) return nullptr;
  JsonDocument document;
  JsonValue schema = yaml_to_json(*node, document.GetAllocator());
  absl::StatusOr<std::shared_ptr<const JsonSchema>> compiled = JsonSchema::compile(schema, limits);
  if (compiled.ok()) return *std::move(compiled);
  // "/properties/a/type: expected ..., got ...": the pointer finds the line.
  std::string message(from_absl(compiled.status().message()));
  std::string pointer;
  if (message[0] == '/') pointer = message.substr(0, message.find(": "));
  errors.add(yaml_at(*node, pointer).mark, str_cat("input", pointer.empty() ? ": " : "", message));
  return nullptr;
}

std::vector<StageDraft> read_stages(YamlErrors& errors, YamlReader& reader,
                                    std::vector<std::string>* names) {
  std::vector<StageDraft> drafts;
  const YamlNode* node = reader.find("stages");
  if (node == nullptr || node->kind != YamlNode::Kind::kMapping || node->members.empty()) {
    errors.add(node == nullptr ? reader.mark() : node->mark, "stages",
               "a mapping with at least one stage", node == nullptr ? "nothing" : node->describe());
    return drafts;
  }
  if (node->members.size() > kMaxStages) {
    errors.add(node->mark, "stages", str_cat("at most ", kMaxStages, " stages"),
               str_cat(node->members.size()));
    return drafts;
  }
  for (const YamlMember& member : node->members) names->push_back(member.key);
  for (const YamlMember& member : node->members) {
    drafts.push_back(parse_stage(errors, member, *names));
  }
  return drafts;
}

// What nobody waits for is the result: its output, or an object by name when there are several.
absl::StatusOr<Template> default_result(const std::vector<StageDraft>& drafts,
                                        const std::vector<std::string>& names) {
  std::vector<bool> needed(drafts.size(), false);
  for (const StageDraft& draft : drafts) {
    for (const Dependency& need : draft.needs) needed[static_cast<size_t>(need.stage)] = true;
  }
  JsonDocument document;
  JsonAllocator& allocator = document.GetAllocator();
  document.SetObject();
  std::string last;
  for (size_t i = 0; i < names.size(); ++i) {
    if (needed[i]) continue;
    last = str_cat("${/stages", json_pointer_step(names[i]), "}");
    document.AddMember(JsonValue(names[i], allocator), JsonValue(last, allocator), allocator);
  }
  if (document.MemberCount() == 1) document.SetString(last, allocator);
  return Template::parse(document, {names, false});
}

std::string content_hash(const YamlNode& root) {
  JsonDocument document;
  return sha256_hex(to_json(yaml_to_json(root, document.GetAllocator()))).substr(0, 12);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Pipeline>> parse_pipeline(std::string_view text,
                                                               std::string_view filename,
                                                               const StageCatalog* catalog,
                                                               const SchemaLimits& limits) {
  absl::StatusOr<YamlFile> file = parse_yaml(text, filename);
  if (!file.ok()) return file.status();
  YamlErrors errors(filename);
  auto pipeline = std::make_shared<Pipeline>();
  YamlReader reader(errors, *file->root, "");
  pipeline->name = read_name(errors, reader);
  pipeline->input = read_input(errors, reader, limits);
  std::vector<std::string> names;
  std::vector<StageDraft> drafts = read_stages(errors, reader, &names);
  const YamlNode* result = reader.find("result");
  if (result != nullptr && result->is_null()) reader.error(*result, "result", "a value");
  if (result != nullptr) {
    pipeline->result = parse_template(errors, *result, "result", {names, false});
  }
  reader.finish(later_stage_keys());
  if (!errors.ok()) return errors.status();

  if (result == nullptr) {
    absl::StatusOr<Template> made = default_result(drafts, names);
    if (!made.ok()) return made.status();
    pipeline->result = *std::move(made);
  }
  sort_stages(errors, &drafts, &pipeline->result);
  if (!errors.ok()) return errors.status();
  check_references(errors, drafts, pipeline->input.get(), pipeline->result, result);
  if (catalog != nullptr) check_catalog(errors, drafts, *catalog);
  if (!errors.ok()) return errors.status();

  for (StageDraft& draft : drafts) pipeline->stages.push_back(std::move(draft.stage));
  pipeline->version = content_hash(*file->root);
  pipeline->source = std::string(text);
  return pipeline;
}

}  // namespace fermata

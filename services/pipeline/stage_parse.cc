#include "services/pipeline/stage_parse.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "services/config/nearest_name.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

const absl::Duration kLongest = absl::Hours(24 * 30);
constexpr YamlRange<int64_t> kParallel = {1, 10000};
constexpr YamlRange<int64_t> kAttempts = {1, 1000};
constexpr YamlRange<int64_t> kQuorum = {1, 10000};

bool all_in(std::string_view text, std::string_view extra) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           extra.find(c) != std::string_view::npos;
  });
}

// "${/input/urls}" and nothing else.
std::optional<Reference> parse_reference(YamlErrors& errors, const YamlNode& node,
                                         const std::string& path, const ReferenceScope& scope) {
  std::string_view text = node.scalar;
  bool whole = node.kind == YamlNode::Kind::kScalar && text.substr(0, 2) == "${" &&
               text.find('}') == text.size() - 1;
  if (!whole) {
    errors.add(node.mark, path, "one reference such as ${/input/urls}", node.describe());
    return std::nullopt;
  }
  absl::StatusOr<Reference> reference = Reference::parse(text.substr(2, text.size() - 3), scope);
  if (!reference.ok()) {
    errors.add(node.mark, str_cat(path, ", ", from_absl(reference.status().message())));
    return std::nullopt;
  }
  return *std::move(reference);
}

void read_gather(YamlErrors& errors, YamlReader& reader, PipelineStage& stage) {
  const YamlNode* node = reader.find("gather");
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::kMapping) {
    YamlReader quorum = reader.child("gather");
    stage.gather = GatherMode::kQuorum;
    if (!quorum.has("quorum")) {
      errors.add(node->mark, reader.path_of("gather"), "quorum: N", "a mapping without it");
    }
    stage.quorum = static_cast<int>(quorum.integer("quorum", 1, kQuorum));
    quorum.finish();
    return;
  }
  if (node->scalar == "quorum") {
    errors.add(node->mark, reader.path_of("gather"), "{quorum: N}", "quorum without a number");
    return;
  }
  stage.gather = reader.choice<GatherMode>("gather", GatherMode::kAll,
                                           {{"all", GatherMode::kAll},
                                            {"settled", GatherMode::kSettled},
                                            {"first", GatherMode::kFirst},
                                            {"{quorum: N}", GatherMode::kQuorum}});
}

void read_retry(YamlErrors& errors, YamlReader retry, RetryPolicy& out) {
  YamlRange<absl::Duration> delay = {absl::Milliseconds(1), absl::Hours(24)};
  out.attempts = static_cast<int>(retry.integer("attempts", out.attempts, kAttempts));
  out.initial = retry.duration("initial", out.initial, delay);
  out.factor = retry.number("factor", out.factor, {1, 100});
  bool has_max = retry.has("max");
  out.max = retry.duration("max", out.max, delay);
  out.jitter = retry.choice<Jitter>("jitter", out.jitter,
                                    {{"full", Jitter::kFull}, {"none", Jitter::kNone}});
  if (out.max < out.initial && !has_max) out.max = out.initial;
  if (out.max < out.initial) {
    errors.add(retry.find("max")->mark, retry.path_of("max"), "a duration of at least `initial`",
               retry.find("max")->describe());
  }
  retry.finish();
}

void read_after(YamlErrors& errors, YamlReader& reader, StageDraft& draft,
                absl::Span<const std::string> names) {
  const YamlNode* after = reader.find("after");
  if (after == nullptr) return;
  auto add = [&](const YamlNode& node) {
    auto found = std::find(names.begin(), names.end(), node.scalar);
    if (node.kind != YamlNode::Kind::kScalar || found == names.end()) {
      errors.add(node.mark, reader.path_of("after"), "the name of a stage",
                 node.describe() + (errors.full() ? "" : did_you_mean(node.scalar, names)));
      return;
    }
    draft.needs.push_back({static_cast<int>(found - names.begin()), node.mark});
  };
  if (after->kind == YamlNode::Kind::kSequence) {
    for (const auto& item : after->items) add(*item);
  } else {
    add(*after);
  }
}

void need(StageDraft& draft, const Reference& reference, YamlMark mark) {
  if (reference.stage() >= 0) draft.needs.push_back({reference.stage(), mark});
}

void read_with(YamlErrors& errors, YamlReader& reader, StageDraft& draft,
               const ReferenceScope& scope) {
  draft.with = reader.find("with");
  if (draft.with == nullptr) return;
  const YamlNode& with = *draft.with;
  bool reference = with.kind == YamlNode::Kind::kScalar && with.scalar.substr(0, 2) == "${" &&
                   with.scalar.find('}') == with.scalar.size() - 1;
  if (with.kind != YamlNode::Kind::kMapping && !reference) {
    errors.add(with.mark, reader.path_of("with"), "a mapping, or one reference to an object",
               with.describe());
    return;
  }
  draft.stage.with = parse_template(errors, with, reader.path_of("with"), scope);
  for (const Template::Use& use : draft.stage.with.uses()) {
    need(draft, use.reference, yaml_at(with, use.pointer).mark);
  }
}

// Reads `each` and what only makes sense with it.
void read_each(YamlErrors& errors, YamlReader& reader, StageDraft& draft,
               const ReferenceScope& scope) {
  PipelineStage& stage = draft.stage;
  draft.each = reader.find("each");
  if (draft.each != nullptr) {
    stage.each = parse_reference(errors, *draft.each, reader.path_of("each"), scope);
    if (stage.each) need(draft, *stage.each, draft.each->mark);
  }
  stage.parallel = static_cast<int>(reader.integer("parallel", stage.parallel, kParallel));
  read_gather(errors, reader, stage);
  for (std::string_view key : {"parallel", "gather"}) {
    const YamlNode* node = reader.find(key);
    if (draft.each != nullptr || node == nullptr) continue;
    errors.add(node->mark, reader.path_of(key), "a stage with `each`", "one without");
  }
}

}  // namespace

const std::vector<std::string>& later_stage_keys() {
  static const auto* keys =
      new std::vector<std::string>{"fallback", "compensate", "batch", "limits", "breaker"};
  return *keys;
}

bool is_name(std::string_view text) {
  return text.size() <= 63 && all_in(text, "_-") && text[0] != '-' &&
         !absl::ascii_isdigit(static_cast<unsigned char>(text[0]));
}

bool is_use(std::string_view text) {
  size_t slash = text.find('/');
  if (text.size() > 255 || slash == std::string_view::npos) return false;
  size_t at = std::min(text.find('@', slash), text.size());
  auto alnum = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); };
  if (!alnum(text[0]) || (slash + 1 < text.size() && !alnum(text[slash + 1]))) return false;
  bool version = at == text.size() || all_in(text.substr(at + 1), "._+-");
  return version && all_in(text.substr(0, slash), "._-") &&
         all_in(text.substr(slash + 1, at - slash - 1), "._-");
}

const YamlNode& yaml_at(const YamlNode& node, std::string_view pointer) {
  const YamlNode* at = &node;
  while (!pointer.empty()) {
    const YamlNode* next = nullptr;
    std::string_view step = pointer.substr(0, std::min(pointer.find('/', 1), pointer.size()));
    if (at->kind == YamlNode::Kind::kSequence) {
      size_t index = 0;
      bool valid = absl::SimpleAtoi(for_absl(step.substr(1)), &index) && index < at->items.size();
      if (valid) next = at->items[index].get();
    }
    for (const YamlMember& member : at->members) {
      if (json_pointer_step(member.key) == step) next = member.value.get();
    }
    if (next == nullptr) break;
    at = next;
    pointer.remove_prefix(step.size());
  }
  return *at;
}

Template parse_template(YamlErrors& errors, const YamlNode& node, std::string_view path,
                        const ReferenceScope& scope) {
  JsonDocument document;
  JsonValue value = yaml_to_json(node, document.GetAllocator());
  TemplateError error;
  absl::StatusOr<Template> parsed = Template::parse(value, scope, &error);
  if (parsed.ok()) return *std::move(parsed);
  errors.add(yaml_at(node, error.pointer).mark, str_cat(path, error.pointer, ", ", error.message));
  return Template();
}

StageDraft parse_stage(YamlErrors& errors, const YamlMember& member,
                       absl::Span<const std::string> names) {
  StageDraft draft;
  PipelineStage& stage = draft.stage;
  draft.mark = member.mark;
  stage.name = member.key;
  std::string path = str_cat("stages.", member.key);
  if (!is_name(member.key)) {
    errors.add(member.mark, "the name of a stage",
               "at most 63 letters, digits, '_' and '-', a letter first",
               str_cat("'", member.key, "'"));
  }
  YamlReader reader(errors, *member.value, path);
  if (member.value->kind == YamlNode::Kind::kMapping) stage.use = reader.required_text("use");
  draft.use = reader.find("use");
  if (draft.use != nullptr && !stage.use.empty() && !is_use(stage.use)) {
    reader.error(*draft.use, "use", "plugin/stage or plugin/stage@version");
    draft.use = nullptr;
  }
  read_each(errors, reader, draft, {names, false});
  read_with(errors, reader, draft, {names, draft.each != nullptr});
  read_after(errors, reader, draft, names);
  draft.when = reader.find("when");
  if (draft.when != nullptr) {
    stage.when = parse_reference(errors, *draft.when, reader.path_of("when"), {names, false});
    if (stage.when) need(draft, *stage.when, draft.when->mark);
  }
  stage.if_lost = reader.choice<IfLost>("if_lost", IfLost::kByStage,
                                        {{"retry", IfLost::kRetry}, {"fail", IfLost::kFail}});
  // What must not run twice is tried again only by whoever asks for it.
  if (stage.if_lost == IfLost::kFail) stage.retry.attempts = 1;
  if (reader.has("retry")) read_retry(errors, reader.child("retry"), stage.retry);
  stage.timeout = reader.duration("timeout", stage.timeout, {absl::Milliseconds(1), kLongest});
  reader.finish(later_stage_keys());
  return draft;
}

}  // namespace fermata

// Does a value match? One walk over value and schema together, with a budget.
//
// Every look at a value costs a step, so that a schema whose alternatives multiply (anyOf over a
// $ref to itself) or a value made to be slow (a million items, all unique) ends as a violation, not
// as a hang.
#include "absl/container/flat_hash_map.h"
#include "services/config/nearest_name.h"
#include "services/config/schema_equal.h"
#include "services/config/schema_node.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

// The budget: a fixed part, so that a small value can meet an elaborate schema, and a part for
// every value and byte, so that checking never costs much more than parsing did.
constexpr int64_t kBudget = 500'000;
constexpr int64_t kBudgetPerValue = 8;
constexpr int64_t kBytesPerBudget = 2;
constexpr int kMaxDepth = 4000;

// Where in the value the walk is: a list on the stack, turned into a pointer only for a message.
struct Path {
  const Path* parent;
  std::string_view name;
  size_t index;
  bool is_index;

  std::string text() const {
    std::string before = parent == nullptr ? "" : parent->text();
    if (parent == nullptr) return before;
    return is_index ? str_cat(before, "/", index) : before + json_pointer_step(name);
  }
};

std::string type_names(JsonTypes types) {
  static constexpr std::pair<JsonTypes, std::string_view> kNames[] = {
      {kJsonInteger | kJsonFraction, "number"},
      {kJsonNull, "null"},
      {kJsonBoolean, "boolean"},
      {kJsonInteger, "integer"},
      {kJsonString, "string"},
      {kJsonArray, "array"},
      {kJsonObject, "object"}};
  std::string out;
  for (const auto& [bits, name] : kNames) {
    if ((types & bits) != bits) continue;
    types &= ~bits;
    str_append(&out, out.empty() ? "" : " or ", name);
  }
  return out;
}

int64_t budget_for(const JsonValue& value) {
  int64_t budget = kBudgetPerValue;
  if (value.IsString()) budget += value.GetStringLength() / kBytesPerBudget;
  if (value.IsArray()) {
    for (const JsonValue& item : value.GetArray()) budget += budget_for(item);
  } else if (value.IsObject()) {
    for (const auto& member : value.GetObject()) budget += budget_for(member.value);
  }
  return budget;
}

class Validator {
 public:
  Validator(const JsonValue& value, const JsonSchema::Unknown* unknown)
      : unknown_(unknown), budget_(kBudget + budget_for(value)) {}

  // The violation, when `report` is not null, is the first one.
  bool matches(const SchemaNode& schema, const JsonValue& value, const Path& path,
               SchemaViolation* report);

 private:
  bool fail(const Path& path, SchemaViolation* report, std::string_view keyword,
            std::string expected, std::string got) {
    if (report != nullptr) {
      *report = {path.text(), std::string(keyword), std::move(expected), std::move(got)};
    }
    return false;
  }
  bool too_much(const Path& path, SchemaViolation* report) {
    return fail(path, report, "budget", "a value and a schema that can be compared in bounded time",
                "more steps than are allowed");
  }
  bool spend(int64_t steps) {
    budget_ -= steps;
    return budget_ >= 0;
  }

  bool check_enum(const SchemaNode& schema, const JsonValue& value, const Path& path,
                  SchemaViolation* report);
  bool check_number(const SchemaNode& schema, const JsonValue& value, const Path& path,
                    SchemaViolation* report);
  bool check_string(const SchemaNode& schema, const JsonValue& value, const Path& path,
                    SchemaViolation* report);
  bool check_array(const SchemaNode& schema, const JsonValue& value, const Path& path,
                   SchemaViolation* report);
  bool check_unique(const JsonValue& array, const Path& path, SchemaViolation* report);
  bool check_object(const SchemaNode& schema, const JsonValue& value, const Path& path,
                    SchemaViolation* report);
  bool check_member(const SchemaNode& schema, std::string_view name, const JsonValue& value,
                    const Path& path, SchemaViolation* report);
  bool check_dependencies(const SchemaNode& schema, const JsonValue& value, const Path& path,
                          SchemaViolation* report);
  bool check_combinations(const SchemaNode& schema, const JsonValue& value, const Path& path,
                          SchemaViolation* report);
  bool has_member(const JsonValue& object, std::string_view name) {
    spend(object.MemberCount() / 8);
    return find_member(object, name) != nullptr;
  }
  bool is_unknown(const JsonValue& value) const {
    return unknown_ != nullptr && unknown_->contains(&value);
  }
  bool has_unknown(const JsonValue& value) const;

  const JsonSchema::Unknown* unknown_;
  int64_t budget_;
  int depth_ = 0;
};

bool Validator::has_unknown(const JsonValue& value) const {
  if (unknown_ == nullptr) return false;
  if (is_unknown(value)) return true;
  if (value.IsArray()) {
    for (const JsonValue& item : value.GetArray()) {
      if (has_unknown(item)) return true;
    }
  } else if (value.IsObject()) {
    for (const auto& member : value.GetObject()) {
      if (has_unknown(member.value)) return true;
    }
  }
  return false;
}

bool Validator::matches(const SchemaNode& any, const JsonValue& value, const Path& path,
                        SchemaViolation* report) {
  const SchemaNode& schema = any.target();
  if (is_unknown(value)) return true;
  if (!spend(1) || depth_ >= kMaxDepth) {
    budget_ = -1;
    return too_much(path, report);
  }
  if ((schema.types & json_type_bit(value)) == 0) {
    return fail(path, report, "type", type_names(schema.types), json_preview(value));
  }
  ++depth_;
  bool ok = check_enum(schema, value, path, report);
  if (ok && value.IsNumber()) ok = check_number(schema, value, path, report);
  if (ok && value.IsString()) ok = check_string(schema, value, path, report);
  if (ok && value.IsArray()) ok = check_array(schema, value, path, report);
  if (ok && value.IsObject()) ok = check_object(schema, value, path, report);
  if (ok) ok = check_combinations(schema, value, path, report);
  --depth_;
  // Whatever an exhausted walk found is not to be trusted, least of all under a `not`.
  return budget_ < 0 ? too_much(path, report) : ok;
}

bool Validator::check_enum(const SchemaNode& schema, const JsonValue& value, const Path& path,
                           SchemaViolation* report) {
  if (schema.enumeration == nullptr || has_unknown(value)) return true;
  for (const JsonValue& allowed : schema.enumeration->GetArray()) {
    if (json_equal(allowed, value, &budget_)) return true;
    if (!spend(1)) return false;
  }
  if (report == nullptr) return false;
  std::string names;
  std::vector<std::string> words;
  for (const JsonValue& allowed : schema.enumeration->GetArray()) {
    if (words.size() == 20) {
      names += ", ...";
      break;
    }
    str_append(&names, names.empty() ? "" : ", ", json_preview(allowed));
    words.push_back(allowed.IsString() ? std::string(as_string_view(allowed)) : "");
  }
  std::string hint = value.IsString() ? did_you_mean(as_string_view(value), words) : "";
  return fail(path, report, "enum",
              schema.enumeration->Size() == 1 ? names : str_cat("one of ", names),
              json_preview(value) + hint);
}

bool Validator::check_number(const SchemaNode& schema, const JsonValue& value, const Path& path,
                             SchemaViolation* report) {
  if (const JsonValue* minimum = schema.minimum) {
    if (json_less(value, *minimum) || (schema.exclusive_minimum && !json_less(*minimum, value))) {
      return fail(path, report, "minimum",
                  str_cat("a number ", schema.exclusive_minimum ? "above " : "of at least ",
                          to_json(*minimum)),
                  json_preview(value));
    }
  }
  if (const JsonValue* maximum = schema.maximum) {
    if (json_less(*maximum, value) || (schema.exclusive_maximum && !json_less(value, *maximum))) {
      return fail(path, report, "maximum",
                  str_cat("a number ", schema.exclusive_maximum ? "below " : "of at most ",
                          to_json(*maximum)),
                  json_preview(value));
    }
  }
  if (schema.multiple_of != nullptr && !json_is_multiple(value, *schema.multiple_of)) {
    return fail(path, report, "multipleOf", str_cat("a multiple of ", to_json(*schema.multiple_of)),
                json_preview(value));
  }
  return true;
}

bool Validator::check_string(const SchemaNode& schema, const JsonValue& value, const Path& path,
                             SchemaViolation* report) {
  std::string_view text = as_string_view(value);
  if (schema.min_length > 0 || schema.max_length != SchemaNode::kNoLimit) {
    size_t characters = 0;
    for (char c : text) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (characters < schema.min_length) {
      return fail(path, report, "minLength", str_cat("at least ", schema.min_length, " characters"),
                  json_preview(value));
    }
    if (characters > schema.max_length) {
      return fail(path, report, "maxLength", str_cat("at most ", schema.max_length, " characters"),
                  str_cat(characters, ": ", json_preview(value)));
    }
  }
  if (schema.pattern == nullptr) return true;
  // RE2 is linear in the text, but when its cache overflows each byte costs the whole program.
  if (!spend(static_cast<int64_t>(text.size()) * schema.pattern->ProgramSize() / 64)) return false;
  if (schema_pattern_matches(*schema.pattern, text)) return true;
  return fail(path, report, "pattern", str_cat("text that matches ", schema.pattern->pattern()),
              json_preview(value));
}

bool Validator::check_array(const SchemaNode& schema, const JsonValue& value, const Path& path,
                            SchemaViolation* report) {
  if (value.Size() < schema.min_items) {
    return fail(path, report, "minItems", str_cat("at least ", schema.min_items, " items"),
                str_cat(value.Size()));
  }
  if (value.Size() > schema.max_items) {
    return fail(path, report, "maxItems", str_cat("at most ", schema.max_items, " items"),
                str_cat(value.Size()));
  }
  for (unsigned i = 0; i < value.Size(); ++i) {
    Path at{&path, "", i, true};
    const SchemaNode* item = schema.items;
    if (schema.is_tuple) item = i < schema.tuple.size() ? schema.tuple[i] : schema.more_items;
    if (item != nullptr) {
      if (!matches(*item, value[i], at, report)) return false;
    } else if (schema.is_tuple && schema.no_more_items && i >= schema.tuple.size()) {
      return fail(at, report, "additionalItems", str_cat("at most ", schema.tuple.size(), " items"),
                  str_cat(value.Size()));
    }
  }
  return !schema.unique_items || check_unique(value, path, report);
}

bool Validator::check_unique(const JsonValue& array, const Path& path, SchemaViolation* report) {
  if (has_unknown(array)) return true;
  absl::flat_hash_map<size_t, std::vector<unsigned>> seen;
  for (unsigned i = 0; i < array.Size(); ++i) {
    std::vector<unsigned>& same = seen[json_hash(array[i], &budget_)];
    for (unsigned j : same) {
      if (!json_equal(array[i], array[j], &budget_)) continue;
      return fail(Path{&path, "", i, true}, report, "uniqueItems", "a value that is not there yet",
                  str_cat(json_preview(array[i]), " as in item ", j));
    }
    same.push_back(i);
    if (!spend(1)) return false;
  }
  return true;
}

bool Validator::check_object(const SchemaNode& schema, const JsonValue& value, const Path& path,
                             SchemaViolation* report) {
  for (std::string_view name : schema.required) {
    if (!spend(1)) return false;
    if (has_member(value, name)) continue;
    auto property = schema.property.find(name);
    bool typed = property != schema.property.end() && property->second->target().types != kJsonAny;
    return fail(Path{&path, name, 0, false}, report, "required",
                typed ? type_names(property->second->target().types) : "a value", "nothing");
  }
  for (const auto& member : value.GetObject()) {
    Path at{&path, as_string_view(member.name), 0, false};
    if (!check_member(schema, at.name, member.value, at, report)) return false;
  }
  if (value.MemberCount() < schema.min_properties) {
    return fail(path, report, "minProperties",
                str_cat("at least ", schema.min_properties, " members"),
                str_cat(value.MemberCount()));
  }
  if (value.MemberCount() > schema.max_properties) {
    return fail(path, report, "maxProperties",
                str_cat("at most ", schema.max_properties, " members"),
                str_cat(value.MemberCount()));
  }
  return check_dependencies(schema, value, path, report);
}

bool Validator::check_member(const SchemaNode& schema, std::string_view name,
                             const JsonValue& value, const Path& path, SchemaViolation* report) {
  if (!spend(1)) return false;
  bool known = false;
  if (auto property = schema.property.find(name); property != schema.property.end()) {
    known = true;
    if (!matches(*property->second, value, path, report)) return false;
  }
  for (const auto& pattern : schema.pattern_properties) {
    int64_t cost = static_cast<int64_t>(name.size()) * pattern.pattern->ProgramSize() / 64;
    if (!spend(1 + cost)) return false;
    if (!schema_pattern_matches(*pattern.pattern, name)) continue;
    known = true;
    if (!matches(*pattern.schema, value, path, report)) return false;
  }
  if (known) return true;
  if (schema.more_properties != nullptr) {
    return matches(*schema.more_properties, value, path, report);
  }
  if (!schema.no_more_properties) return true;
  if (report == nullptr) return false;
  std::vector<std::string> names;
  for (const auto& property : schema.properties) names.emplace_back(property.name);
  std::string list;
  for (const std::string& one : names) str_append(&list, list.empty() ? "" : ", ", one);
  return fail(path, report, "additionalProperties",
              names.empty() ? "no such member" : str_cat("one of the members ", list),
              str_cat("'", utf8_preview(name, 40), "'", did_you_mean(name, names)));
}

bool Validator::check_dependencies(const SchemaNode& schema, const JsonValue& value,
                                   const Path& path, SchemaViolation* report) {
  for (const auto& dependency : schema.dependencies) {
    if (!spend(1)) return false;
    if (!has_member(value, dependency.name)) continue;
    for (std::string_view name : dependency.names) {
      if (has_member(value, name)) continue;
      return fail(Path{&path, name, 0, false}, report, "dependencies",
                  str_cat("a value, since there is '", dependency.name, "'"), "nothing");
    }
    if (dependency.schema != nullptr && !matches(*dependency.schema, value, path, report)) {
      return false;
    }
  }
  return true;
}

bool Validator::check_combinations(const SchemaNode& schema, const JsonValue& value,
                                   const Path& path, SchemaViolation* report) {
  for (const SchemaNode* all : schema.all_of) {
    if (!matches(*all, value, path, report)) return false;
  }
  SchemaViolation first;
  auto count = [&](const std::vector<const SchemaNode*>& list, size_t enough) {
    size_t matching = 0;
    for (size_t i = 0; i < list.size() && matching < enough && budget_ >= 0; ++i) {
      matching += matches(*list[i], value, path, report != nullptr && i == 0 ? &first : nullptr);
    }
    return matching;
  };
  auto none_of = [&](std::string_view keyword, size_t alternatives) {
    if (report == nullptr) return false;
    return fail(
        path, report, keyword,
        str_cat("one of ", alternatives, " alternatives (the first: ",
                first.pointer == path.text() ? "" : first.pointer + ": ", first.expected, ")"),
        json_preview(value));
  };
  if (!schema.any_of.empty() && count(schema.any_of, 1) == 0) {
    return none_of("anyOf", schema.any_of.size());
  }
  if (!schema.one_of.empty()) {
    size_t matching = count(schema.one_of, 2);
    if (matching == 0) return none_of("oneOf", schema.one_of.size());
    if (matching > 1 && !has_unknown(value)) {
      return fail(path, report, "oneOf", "exactly one alternative to match", json_preview(value));
    }
  }
  if (schema.negated != nullptr && !has_unknown(value) &&
      matches(*schema.negated, value, path, nullptr)) {
    return fail(path, report, "not", "a value that does not match", json_preview(value));
  }
  return true;
}

}  // namespace

std::optional<SchemaViolation> JsonSchema::find_violation(const JsonValue& value,
                                                          const Unknown* unknown) const {
  SchemaViolation violation;
  Validator validator(value, unknown);
  Path root{nullptr, "", 0, false};
  if (validator.matches(*nodes_[0], value, root, &violation)) return std::nullopt;
  return violation;
}

}  // namespace fermata

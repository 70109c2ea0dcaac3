// Which keywords exist: those of draft 4, and those of later drafts that people write by habit.
#include "services/config/nearest_name.h"
#include "services/config/schema_node.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

const std::vector<std::string>& known_keywords() {
  static const auto* names = new std::vector<std::string>{"$ref",
                                                          "$schema",
                                                          "additionalItems",
                                                          "additionalProperties",
                                                          "allOf",
                                                          "anyOf",
                                                          "default",
                                                          "definitions",
                                                          "dependencies",
                                                          "description",
                                                          "enum",
                                                          "exclusiveMaximum",
                                                          "exclusiveMinimum",
                                                          "examples",
                                                          "format",
                                                          "id",
                                                          "items",
                                                          "maxItems",
                                                          "maxLength",
                                                          "maxProperties",
                                                          "maximum",
                                                          "minItems",
                                                          "minLength",
                                                          "minProperties",
                                                          "minimum",
                                                          "multipleOf",
                                                          "not",
                                                          "oneOf",
                                                          "pattern",
                                                          "patternProperties",
                                                          "properties",
                                                          "required",
                                                          "title",
                                                          "type",
                                                          "uniqueItems"};
  return *names;
}

// Keywords of later drafts would be ignored in silence, and with them what the author meant.
const std::vector<std::pair<std::string, std::string>>& later_keywords() {
  static const auto* names = new std::vector<std::pair<std::string, std::string>>{
      {"const", "enum with one value"},
      {"$defs", "definitions"},
      {"if", "oneOf"},
      {"then", "oneOf"},
      {"else", "oneOf"},
      {"contains", "items"},
      {"propertyNames", "patternProperties with additionalProperties: false"},
      {"prefixItems", "items with an array"},
      {"dependentRequired", "dependencies"},
      {"dependentSchemas", "dependencies"},
      {"unevaluatedProperties", "additionalProperties"},
      {"unevaluatedItems", "additionalItems"},
      {"$dynamicRef", "$ref"},
      {"$recursiveRef", "$ref"}};
  return *names;
}

}  // namespace

std::string unknown_keyword_problem(std::string_view name) {
  for (const std::string& known : known_keywords()) {
    if (known == name) return "";  // annotations
  }
  for (const auto& later : later_keywords()) {
    if (later.first == name) {
      return str_cat("expected a keyword of JSON Schema draft 4, got '", name,
                     "' of a later draft; use ", later.second);
    }
  }
  // Other names are allowed and mean nothing, but a misspelt keyword is a check that never happens.
  std::string hint = did_you_mean(name, known_keywords());
  return hint.empty() ? "" : str_cat("unknown keyword '", utf8_preview(name, 40), "'", hint);
}

}  // namespace fermata

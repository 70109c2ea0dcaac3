#include "services/config/json_schema.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {
namespace {

std::string compile_error(const std::string& schema) {
  return std::string(JsonSchema::compile(schema).status().message());
}

// "" when the value matches, or the violation.
std::string check(const std::string& schema, const std::string& value) {
  absl::StatusOr<std::shared_ptr<const JsonSchema>> compiled = JsonSchema::compile(schema);
  if (!compiled.ok()) return "schema: " + std::string(compiled.status().message());
  absl::StatusOr<JsonDocument> document = parse_json(value);
  EXPECT_TRUE(document.ok()) << document.status();
  return std::string((*compiled)->validate(*document).message());
}

TEST(JsonSchema, NamesPointerExpectedGotAndKeyword) {
  std::string schema = R"({"type": "object", "properties":
      {"urls": {"type": "array", "items": {"type": "string"}},
       "n": {"type": ["integer", "null"]}}})";
  EXPECT_EQ(check(schema, R"({"urls": ["a", 17]})"), "/urls/1: expected string, got 17 (type)");
  EXPECT_EQ(check(schema, R"({"n": "x"})"), R"(/n: expected null or integer, got "x" (type))");
  EXPECT_EQ(check(schema, "[]"), "the value: expected object, got [] (type)");
  EXPECT_EQ(check(R"({"properties": {"a/b": {"type": "null"}}})", R"({"a/b": 1})"),
            "/a~1b: expected null, got 1 (type)");
}

TEST(JsonSchema, GivesTheViolationInParts) {
  auto schema =
      *JsonSchema::compile(R"({"required": ["a"], "properties": {"a": {"type": "string"}}})");
  std::optional<SchemaViolation> violation = schema->find_violation(*parse_json("{}"));
  ASSERT_TRUE(violation.has_value());
  EXPECT_EQ(violation->pointer, "/a");
  EXPECT_EQ(violation->keyword, "required");
  EXPECT_EQ(violation->expected, "string");
  EXPECT_EQ(violation->got, "nothing");
  EXPECT_FALSE(schema->find_violation(*parse_json(R"({"a": ""})")).has_value());
}

TEST(JsonSchema, IntegersAndFractionsAreToldApart) {
  EXPECT_EQ(check(R"({"type": "integer"})", "1"), "");
  EXPECT_NE(check(R"({"type": "integer"})", "1.0"), "");
  EXPECT_EQ(check(R"({"type": "number"})", "1"), "");
  EXPECT_EQ(check(R"({"type": "number"})", "1.5"), "");
}

TEST(JsonSchema, BoundsAreExactForLargeIntegers) {
  std::string schema = R"({"minimum": -9223372036854775808, "maximum": 18446744073709551614})";
  EXPECT_EQ(check(schema, "-9223372036854775808"), "");
  EXPECT_EQ(check(schema, "18446744073709551614"), "");
  EXPECT_EQ(check(schema, "18446744073709551615"),
            "the value: expected a number of at most 18446744073709551614, got "
            "18446744073709551615 (maximum)");
  EXPECT_EQ(check(R"({"maximum": 5, "exclusiveMaximum": true})", "5"),
            "the value: expected a number below 5, got 5 (maximum)");
  EXPECT_EQ(check(R"({"minimum": 0, "exclusiveMinimum": true})", "0.0"),
            "the value: expected a number above 0, got 0.0 (minimum)");
  EXPECT_EQ(check(R"({"multipleOf": 3})", "-9223372036854775808"),
            "the value: expected a multiple of 3, got -9223372036854775808 (multipleOf)");
  EXPECT_EQ(check(R"({"multipleOf": 0.01})", "19.99"), "");
  EXPECT_NE(check(R"({"multipleOf": 0.01})", "19.995"), "");
}

TEST(JsonSchema, StringsAreMeasuredInCharacters) {
  EXPECT_EQ(check(R"({"minLength": 2, "maxLength": 2})", "\"\xC3\xA9\xE2\x82\xAC\""), "");
  EXPECT_EQ(check(R"({"minLength": 2})", "\"\xE2\x82\xAC\""),
            "the value: expected at least 2 characters, got \"\xE2\x82\xAC\" (minLength)");
  EXPECT_EQ(check(R"({"maxLength": 1})", "\"ab\""),
            "the value: expected at most 1 characters, got 2: \"ab\" (maxLength)");
  EXPECT_EQ(check(R"({"pattern": "^[a-z]+\\d$"})", "\"abc\""),
            "the value: expected text that matches ^[a-z]+\\d$, got \"abc\" (pattern)");
  EXPECT_EQ(check(R"({"pattern": "b"})", "\"abc\""), "");
}

TEST(JsonSchema, UnknownMembersHaveAHint) {
  std::string schema =
      R"({"additionalProperties": false, "properties": {"timeout": {}, "url": {}}})";
  EXPECT_EQ(check(schema, R"({"timout": 1})"),
            "/timout: expected one of the members timeout, url, got 'timout', did you mean "
            "'timeout'? (additionalProperties)");
}

TEST(JsonSchema, PatternAndAdditionalPropertiesWorkTogether) {
  // RapidJSON's validator loses its place on exactly this.
  std::string schema = R"({"patternProperties": {"^x": {"type": "integer"}},
                           "properties": {"xa": {"minimum": 5}}, "additionalProperties": false})";
  EXPECT_EQ(check(schema, R"({"x1": 1, "xa": 7})"), "");
  EXPECT_NE(check(schema, R"({"x1": "a"})"), "");
  EXPECT_NE(check(schema, R"({"xa": 1})"), "");
  EXPECT_NE(check(schema, R"({"y": 1})"), "");
}

TEST(JsonSchema, EnumComparesValuesAndHints) {
  EXPECT_EQ(
      check(R"({"enum": ["get", "post"]})", "\"pots\""),
      "the value: expected one of \"get\", \"post\", got \"pots\", did you mean 'post'? (enum)");
  EXPECT_EQ(check(R"({"enum": [{"a": 1, "b": [2]}]})", R"({"b": [2.0], "a": 1})"), "");
  EXPECT_NE(check(R"({"enum": [0]})", "false"), "");
}

TEST(JsonSchema, ArraysAreCheckedByListOrTuple) {
  EXPECT_EQ(check(R"({"items": [{"type": "string"}], "additionalItems": false})", "[\"a\", 1]"),
            "/1: expected at most 1 items, got 2 (additionalItems)");
  EXPECT_NE(check(R"({"items": [{}], "additionalItems": {"type": "null"}})", "[1, 2]"), "");
  EXPECT_EQ(check(R"({"minItems": 1})", "[]"),
            "the value: expected at least 1 items, got 0 (minItems)");
  EXPECT_EQ(
      check(R"({"uniqueItems": true})", R"([1, "1", {"a": 1, "b": 2}, [1], {"b": 2, "a": 1.0}])"),
      "/4: expected a value that is not there yet, got {\"b\":2,\"a\":1.0} as in item 2 "
      "(uniqueItems)");
}

TEST(JsonSchema, CombinationsNameTheFirstAlternative) {
  std::string schema = R"({"anyOf": [{"type": "string"}, {"type": "array"}]})";
  EXPECT_EQ(check(schema, "[]"), "");
  EXPECT_EQ(check(schema, "5"),
            "the value: expected one of 2 alternatives (the first: string), got 5 (anyOf)");
  EXPECT_EQ(check(R"({"oneOf": [{"minimum": 1}, {"minimum": 2}]})", "3"),
            "the value: expected exactly one alternative to match, got 3 (oneOf)");
  EXPECT_EQ(check(R"({"not": {"type": "null"}})", "null"),
            "the value: expected a value that does not match, got null (not)");
  EXPECT_EQ(check(R"({"allOf": [{"required": ["a"]}]})", "{}"),
            "/a: expected a value, got nothing (required)");
  EXPECT_EQ(check(R"({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}})", R"({"a": 1})"),
            "/b: expected a value, since there is 'a', got nothing (dependencies)");
}

TEST(JsonSchema, RefsWorkInsideTheDocumentAlsoRecursively) {
  std::string tree = R"({"definitions": {"node": {"type": "object", "required": ["v"], "properties":
      {"v": {"type": "integer"}, "next": {"$ref": "#/definitions/node"}}}},
      "$ref": "#/definitions/node"})";
  EXPECT_EQ(check(tree, R"({"v": 1, "next": {"v": 2, "next": {"v": 3}}})"), "");
  EXPECT_EQ(check(tree, R"({"v": 1, "next": {"v": 2, "next": {"v": "x"}}})"),
            R"(/next/next/v: expected integer, got "x" (type))");
  EXPECT_EQ(
      check(R"({"properties": {"a~b/c": {"type": "null"}, "x": {"$ref": "#/properties/a~0b~1c"}}})",
            R"({"x": 1})"),
      "/x: expected null, got 1 (type)");
}

TEST(JsonSchema, SchemasThatAreWrongNameThePlace) {
  EXPECT_EQ(compile_error(R"({"properties": {"a": {"type": "strin"}}})"),
            "/properties/a/type: expected null, boolean, integer, number, string, array or object, "
            "got \"strin\"");
  EXPECT_EQ(compile_error(R"({"minLength": -1})"),
            "/minLength: expected a whole number, 0 or more, got -1");
  EXPECT_EQ(compile_error(R"({"multipleOf": 0})"), "/multipleOf: expected a number above 0, got 0");
  EXPECT_EQ(
      compile_error(R"j({"pattern": "(?=x)"})j").find("/pattern: expected a regular expression"),
      0u);
  EXPECT_EQ(compile_error(R"({"reqired": ["a"]})"),
            "/reqired: unknown keyword 'reqired', did you mean 'required'?");
  EXPECT_EQ(
      compile_error(R"({"items": {"const": 1}})"),
      "/items/const: expected a keyword of JSON Schema draft 4, got 'const' of a later draft; "
      "use enum with one value");
  EXPECT_EQ(compile_error(R"({"exclusiveMinimum": 5})"),
            "/exclusiveMinimum: expected true or false, got 5");
  EXPECT_EQ(compile_error(R"({"$ref": "#/definitions/none"})"),
            "/$ref: expected a place in this document such as #/definitions/name, got "
            "\"#/definitions/none\"");
  EXPECT_EQ(compile_error("[]"), "the schema: expected an object, got []");
  EXPECT_EQ(compile_error("{"),
            "the schema: line 1, column 2: expected a member name in double quotes, got the end of "
            "the text");
  for (std::string schema : {R"({"type": 5})",
                             R"({"type": []})",
                             R"({"enum": []})",
                             R"({"enum": 1})",
                             R"({"items": 1})",
                             R"({"items": [1]})",
                             R"({"required": "a"})",
                             R"({"required": [1]})",
                             R"({"allOf": []})",
                             R"({"allOf": {}})",
                             R"({"not": 1})",
                             R"({"properties": []})",
                             R"({"properties": {"a": 1}})",
                             R"({"patternProperties": 1})",
                             R"({"patternProperties": {"(": {}}})",
                             R"({"dependencies": {"a": 1}})",
                             R"({"definitions": 1})",
                             R"({"minimum": "1"})",
                             R"({"uniqueItems": 1})",
                             R"({"additionalProperties": 1})",
                             R"({"additionalItems": "x"})",
                             R"({"maxItems": 1.5})",
                             R"({"$ref": 1})",
                             R"({"$ref": "http://x/y"})",
                             R"({"$ref": ""})"}) {
    EXPECT_NE(compile_error(schema), "") << schema;
  }
}

TEST(JsonSchema, AnnotationsAndUnrelatedNamesAreAllowed) {
  EXPECT_EQ(compile_error(R"({"title": "t", "description": "d", "format": "uri", "id": "x",
                              "$schema": "s", "examples": [1], "x-internal": true})"),
            "");
}

TEST(JsonSchema, FillsDefaultsWhereMembersAreAbsent) {
  auto schema = *JsonSchema::compile(R"({"properties": {
      "a": {"default": 1}, "b": {"properties": {"c": {"default": [2]}}},
      "d": {"items": {"$ref": "#/definitions/e"}}, "f": {"default": {"g": {}}}},
      "definitions": {"e": {"properties": {"x": {"default": null}}}},
      "allOf": [{"properties": {"h": {"default": "h"}}}]})");
  JsonDocument value = *parse_json(R"({"a": 7, "b": {}, "d": [{}, 5, {"x": 1}]})");
  ASSERT_TRUE(schema->fill_defaults(value, value.GetAllocator()).ok());
  EXPECT_EQ(to_json(value),
            R"({"a":7,"b":{"c":[2]},"d":[{"x":null},5,{"x":1}],"h":"h","f":{"g":{}}})");
}

TEST(JsonSchema, TypesAtTellsWhatCanBeThere) {
  auto schema = *JsonSchema::compile(R"({"type": "object", "additionalProperties": false,
      "properties": {"urls": {"type": "array", "items": {"type": "string"}},
                     "free": {}, "n": {"enum": [1, "x"]},
                     "pair": {"type": "array", "items": [{"type": "null"}],
                              "additionalItems": false},
                     "either": {"anyOf": [{"type": "string"}, {"type": "object"}]},
                     "both": {"allOf": [{"type": ["null", "string"]},
                                        {"type": ["null", "array"]}]}},
      "patternProperties": {"^x-": {"type": "boolean"}}})");
  auto types = [&](std::vector<std::string> path) { return schema->types_at(path); };
  EXPECT_EQ(types({}), kJsonObject);
  EXPECT_EQ(types({"urls"}), kJsonArray);
  EXPECT_EQ(types({"urls", "0"}), kJsonString);
  EXPECT_EQ(types({"urls", "*"}), kJsonString);
  EXPECT_EQ(types({"urls", "x"}), 0u);
  EXPECT_EQ(types({"urls", "0", "x"}), 0u);
  EXPECT_EQ(types({"nothing"}), 0u);
  EXPECT_EQ(types({"*"}), 0u);
  EXPECT_EQ(types({"free", "a", "b"}), kJsonAny);
  EXPECT_EQ(types({"n"}), kJsonInteger | kJsonString);
  EXPECT_EQ(types({"pair", "0"}), kJsonNull);
  EXPECT_EQ(types({"pair", "1"}), 0u);
  EXPECT_EQ(types({"either"}), kJsonString | kJsonObject);
  EXPECT_EQ(types({"either", "a"}), kJsonAny);
  EXPECT_EQ(types({"both"}), kJsonNull);
  EXPECT_EQ(types({"x-y"}), kJsonBoolean);
}

TEST(JsonSchema, ThreadsMayShareOne) {
  auto schema = *JsonSchema::compile(
      R"({"items": {"pattern": "^(a|b)*c+$"}, "uniqueItems": true, "maxItems": 50})");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id) {
    threads.emplace_back([&schema, &wrong, id] {
      for (int round = 0; round < 200; ++round) {
        std::string text = "[\"" + std::string(static_cast<size_t>(round + id), 'a') + "c\"]";
        wrong += !schema->validate(*parse_json(text)).ok();
        wrong += schema->validate(*parse_json("[\"x\"]")).ok();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(JsonSchema, UnknownPlacesCountAsValid) {
  auto schema = *JsonSchema::compile(R"({"required": ["a", "b"], "properties": {
      "a": {"type": "integer"}, "b": {"enum": [["x"]]}, "c": {"uniqueItems": true},
      "d": {"not": {"type": "object"}}}})");
  JsonDocument value = *parse_json(R"({"a": "?", "b": ["?"], "c": ["?", "?"], "d": {"e": "?"}})");
  EXPECT_TRUE(schema->find_violation(value).has_value());
  JsonSchema::Unknown unknown = {&value["a"], &value["b"][0], &value["c"][0], &value["c"][1],
                                 &value["d"]["e"]};
  EXPECT_FALSE(schema->find_violation(value, &unknown).has_value());
  value["a"].SetBool(true);
  unknown.erase(&value["a"]);
  EXPECT_EQ(schema->find_violation(value, &unknown)->pointer, "/a");
}

}  // namespace
}  // namespace fermata

// Schemas and values made to hang, crash or fill the memory. Each must get an answer, and soon: a
// test that hangs here is stopped by the test runner's own limit.
#include <functional>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "services/config/json_schema.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

absl::Status compile(const std::string& schema) { return JsonSchema::compile(schema).status(); }

std::string check(const std::string& schema, const std::string& value) {
  absl::StatusOr<std::shared_ptr<const JsonSchema>> compiled = JsonSchema::compile(schema);
  if (!compiled.ok()) return "schema: " + std::string(compiled.status().message());
  absl::StatusOr<JsonDocument> document = parse_json(value);
  EXPECT_TRUE(document.ok()) << document.status();
  return std::string((*compiled)->validate(*document).message());
}

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(JsonSchemaHostile, RefCirclesAreRefused) {
  for (
      std::string schema :
      {R"({"$ref": "#"})", R"({"anyOf": [{"$ref": "#"}]})", R"({"not": {"$ref": "#"}})",
       R"({"allOf": [{"$ref": "#/allOf/0"}]})", R"({"dependencies": {"a": {"$ref": "#"}}})",
       R"({"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}})"}) {
    EXPECT_NE(from_absl(compile(schema).message()).find("$ref circle"), std::string_view::npos)
        << schema << compile(schema);
  }
}

TEST(JsonSchemaHostile, ALongChainOfRefsIsRefusedWithoutRecursion) {
  std::string schema = "{\"definitions\":{";
  for (int i = 0; i < 4000; ++i) {
    schema += str_cat("\"d", i, "\":{\"$ref\":\"#/definitions/d", i + 1, "\"},");
  }
  schema += "\"d4000\":{}},\"$ref\":\"#/definitions/d0\"}";
  EXPECT_FALSE(compile(schema).ok());
}

TEST(JsonSchemaHostile, TooManySubschemasAreRefused) {
  EXPECT_FALSE(compile("{\"allOf\":[{}" + repeat(",{}", 6000) + "]}").ok());
  EXPECT_FALSE(compile(repeat("{\"not\":", 40) + "{}" + repeat("}", 40)).ok());
  EXPECT_FALSE(compile(repeat("{\"items\":", 200) + "{}" + repeat("}", 200)).ok());
}

TEST(JsonSchemaHostile, AlternativesThatMultiplyRunOutOfBudget) {
  // Two alternatives per level of the value: 2^60 ways to look at it.
  std::string schema = R"({"properties": {"a": {"anyOf": [
      {"allOf": [{"$ref": "#"}, {"required": ["z"]}]},
      {"allOf": [{"$ref": "#"}, {"required": ["z"]}]}, {"type": "null"}]}}})";
  std::string value = repeat("{\"a\":", 60) + "{}" + repeat("}", 60);
  EXPECT_NE(check(schema, value).find("bounded time"), std::string::npos);
}

TEST(JsonSchemaHostile, AnExhaustedBudgetIsNeverAMatch) {
  std::string slow = R"({"anyOf": [{"allOf": [{"$ref": "#/definitions/s"}, {"required": ["z"]}]},
      {"allOf": [{"$ref": "#/definitions/s"}, {"required": ["z"]}]}]})";
  std::string schema = R"({"definitions": {"s": {"properties": {"a": )" + slow +
                       R"(}}}, "not": {"$ref": "#/definitions/s"}})";
  std::string value = repeat("{\"a\":", 60) + "{}" + repeat("}", 60);
  EXPECT_NE(check(schema, value).find("bounded time"), std::string::npos);
}

TEST(JsonSchemaHostile, PatternsThatExplodeElsewhereAreLinear) {
  std::string text = "\"" + std::string(100000, 'a') + "!\"";
  for (std::string pattern : {"(a*)*$", "(a|a)*b", "(a+)+$", "^(([a-z])+.)+[A-Z]([a-z])+$",
                              "(a?){50}a{50}", "(x+x+)+y"}) {
    check("{\"pattern\":\"" + pattern + "\"}", text);
  }
  EXPECT_FALSE(compile(R"({"pattern": "((a{100}){100}){100}"})").ok());
  EXPECT_FALSE(compile("{\"pattern\":\"" + repeat("(a|b)", 5000) + "\"}").ok());
  EXPECT_FALSE(compile(R"({"pattern": "()\\1"})").ok());
  EXPECT_EQ(check(R"({"pattern": ")" + repeat("()", 100) + "\"}", "\"x\""), "");
}

TEST(JsonSchemaHostile, ManyUniqueItemsAreNotQuadratic) {
  std::string value = "[0";
  for (int i = 1; i < 200000; ++i) str_append(&value, ",", i);
  EXPECT_EQ(check(R"({"uniqueItems": true})", value + "]"), "");
  EXPECT_NE(check(R"({"uniqueItems": true})", value + ",5]"), "");
}

TEST(JsonSchemaHostile, LargeObjectsInAnEnumRunOutOfBudget) {
  std::string a = "{\"k0\":0", b = "{\"k19999\":19999";
  for (int i = 1; i < 20000; ++i) str_append(&a, ",\"k", i, "\":", i);
  for (int i = 19998; i >= 0; --i) str_append(&b, ",\"k", i, "\":", i);
  EXPECT_NE(check("{\"enum\":[" + a + "}]}", b + "}").find("bounded time"), std::string::npos);
}

TEST(JsonSchemaHostile, DefaultsThatMultiplyAreRefused) {
  std::string schema =
      R"({"items": {"properties": {"a": {"default": ")" + std::string(100000, 'x') + "\"}}}}";
  JsonDocument value = *parse_json("[{}" + repeat(",{}", 10000) + "]");
  absl::Status status = (*JsonSchema::compile(schema))->fill_defaults(value, value.GetAllocator());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

// `properties` p0, p1, ... with a default each.
std::string many_defaults(int count) {
  std::string schema = R"({"properties": {)";
  for (int i = 0; i < count; ++i) {
    str_append(&schema, i == 0 ? "" : ",", "\"p", i, "\":{\"default\":", i, "}");
  }
  return schema + "}}";
}

JsonDocument many_members(int count) {
  std::string value = "{\"p7\":null";
  for (int i = 0; i < count; ++i) str_append(&value, ",\"m", i, "\":0");
  return *parse_json(value + "}");
}

// Each name looked for in all members were 10^10 steps.
TEST(JsonSchemaHostile, ManyDefaultsForALargeObjectAreAdded) {
  JsonDocument value = many_members(1'000'000);
  auto schema = *JsonSchema::compile(many_defaults(4000));
  const absl::Status filled = schema->fill_defaults(value, value.GetAllocator());
  ASSERT_TRUE(filled.ok()) << filled;
  EXPECT_EQ(value.MemberCount(), 1'000'001u + 3999u);
  EXPECT_TRUE(find_member(value, "p7")->IsNull());
  EXPECT_EQ(find_member(value, "p3999")->GetInt(), 3999);
}

TEST(JsonSchemaHostile, TheSameLargeObjectOverAndOverRunsOutOfBudget) {
  const std::string one = many_defaults(1);
  JsonDocument value = many_members(400'000);
  auto schema = *JsonSchema::compile("{\"allOf\":[" + one + repeat("," + one, 999) + "]}");
  const absl::Status filled = schema->fill_defaults(value, value.GetAllocator());
  EXPECT_EQ(filled.code(), absl::StatusCode::kResourceExhausted) << filled;
}

TEST(JsonSchemaHostile, DefaultsOfARecursiveSchemaEnd) {
  auto schema = *JsonSchema::compile(R"({"properties": {"a": {"$ref": "#"}}, "default": {}})");
  JsonDocument value = *parse_json("{}");
  ASSERT_TRUE(schema->fill_defaults(value, value.GetAllocator()).ok());
  EXPECT_EQ(to_json(value), R"({"a":{}})");
}

TEST(JsonSchemaHostile, TypesAtEndsForARecursiveSchema) {
  auto schema = *JsonSchema::compile(R"({"properties": {"a": {"anyOf": [
      {"allOf": [{"$ref": "#"}]}, {"allOf": [{"$ref": "#"}]}]}}})");
  EXPECT_EQ(schema->types_at(std::vector<std::string>(64, "a")), kJsonAny);
}

// Whatever the schema and the value are, compiling and validating answer in UTF-8.
TEST(JsonSchemaHostile, AnswersForRandomSchemasMadeOfKeywords) {
  static const char* kKeywords[] = {"type",         "enum",        "properties",
                                    "items",        "required",    "additionalProperties",
                                    "pattern",      "not",         "patternProperties",
                                    "anyOf",        "oneOf",       "allOf",
                                    "dependencies", "minimum",     "maximum",
                                    "multipleOf",   "uniqueItems", "minLength",
                                    "maxItems",     "$ref",        "default",
                                    "definitions"};
  static const char* kLeaves[] = {"\"string\"",
                                  "\"object\"",
                                  "1",
                                  "0",
                                  "-1",
                                  "1.5",
                                  "true",
                                  "false",
                                  "null",
                                  "\"a\"",
                                  "[]",
                                  "{}",
                                  "[\"a\"]",
                                  "\"#\"",
                                  "\"#/definitions/a\"",
                                  "[1,\"a\",null]",
                                  "\"^a|b$\"",
                                  "1e308",
                                  "18446744073709551615",
                                  "-9223372036854775808",
                                  "{\"a\":1}",
                                  "\"\xF0\x9F\x8E\xB5\""};
  std::mt19937 random(11);
  auto pick = [&](auto& list) { return std::string(list[random() % std::size(list)]); };
  std::function<std::string(int)> schema = [&](int depth) {
    std::string text = "{";
    std::string used;
    for (unsigned i = random() % 4; i > 0; --i) {
      std::string keyword = pick(kKeywords);
      if (used.find("<" + keyword + ">") != std::string::npos) continue;
      used += "<" + keyword + ">";
      std::string value = pick(kLeaves);
      if (depth > 0 && random() % 2) value = schema(depth - 1);
      if (depth > 0 && random() % 4 == 0) value = "[" + schema(depth - 1) + "]";
      if (depth > 0 && random() % 3 == 0) value = "{\"a\":" + schema(depth - 1) + "}";
      str_append(&text, text.size() > 1 ? "," : "", json_quote(keyword), ":", value);
    }
    return text + "}";
  };
  int compiled = 0, violations = 0;
  for (int round = 0; round < 10000; ++round) {
    std::string text = schema(3);
    absl::StatusOr<std::shared_ptr<const JsonSchema>> made = JsonSchema::compile(text);
    if (!made.ok()) {
      ASSERT_TRUE(is_utf8(from_absl(made.status().message()))) << text;
      continue;
    }
    ++compiled;
    for (int i = 0; i < 4; ++i) {
      JsonDocument value =
          *parse_json(random() % 2 ? pick(kLeaves) : "{\"a\":" + pick(kLeaves) + "}");
      ASSERT_TRUE((*made)->fill_defaults(value, value.GetAllocator()).ok());
      std::optional<SchemaViolation> violation = (*made)->find_violation(value);
      violations += violation.has_value();
      ASSERT_TRUE(!violation || is_utf8(violation->message()));
      (*made)->types_at({"a", "0"});
    }
  }
  EXPECT_GT(compiled, 500);
  EXPECT_GT(violations, 100);
}

}  // namespace
}  // namespace fermata

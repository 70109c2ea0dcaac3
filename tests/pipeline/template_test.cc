#include "services/pipeline/template.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {
namespace {

// Stages fetch (0, an array of two with a failed item), page (1, an object) and skipped (2).
class TemplateTest : public testing::Test {
 protected:
  TemplateTest() : scope_{names_, true} {
    context_.input = &input_;
    context_.item = &item_;
    context_.index = 3;
    context_.outputs = outputs_;
  }

  absl::StatusOr<Template> parse(const std::string& json) {
    return Template::parse(*parse_json(json), scope_);
  }

  // The template's JSON text for the context, or the error. Both ways to evaluate must agree.
  std::string evaluate(const std::string& json) {
    absl::StatusOr<Template> made = parse(json);
    if (!made.ok()) return std::string(made.status().message());
    absl::StatusOr<std::string> text = made->evaluate_json(context_);
    JsonDocument document;
    absl::StatusOr<JsonValue> value = made->evaluate(context_, document.GetAllocator());
    EXPECT_EQ(text.status(), value.status());
    if (!text.ok()) return std::string(text.status().message());
    EXPECT_EQ(*text, to_json(*value));
    return *text;
  }

  JsonDocument input_ = *parse_json(
      R"({"urls": ["a", "b", "c"], "n": 7, "a/b": {"~x": true}, "site": "q\"s\n", "none": null,
          "0": "zero", "rows": [[{"v": 1}, {}], 5, [{"v": 2}]]})");
  JsonDocument item_ = *parse_json(R"({"url": "http://x/"})");
  JsonDocument fetch_ = *parse_json(R"([{"body": "B0"}, {"error": {"code": "UNAVAILABLE"}}])");
  JsonDocument page_ = *parse_json(R"({"body": "P"})");
  std::vector<const JsonValue*> outputs_ = {&fetch_, &page_, nullptr};
  std::vector<std::string> names_ = {"fetch", "page", "skipped"};
  ReferenceScope scope_;
  EvalContext context_;
};

TEST_F(TemplateTest, AStringThatIsOneReferenceTakesTheValue) {
  EXPECT_EQ(evaluate(R"("${/input/urls}")"), R"(["a","b","c"])");
  EXPECT_EQ(evaluate(R"({"u": "${/item/url}", "n": "${/input/n}"})"), R"({"u":"http://x/","n":7})");
  EXPECT_EQ(evaluate(R"("${/index}")"), "3");
  EXPECT_EQ(evaluate(R"("${/input/none}")"), "null");
}

TEST_F(TemplateTest, OtherStringsInterpolate) {
  EXPECT_EQ(evaluate(R"(["p ${/index} of ${/input/n}!"])"), R"(["p 3 of 7!"])");
  EXPECT_EQ(evaluate(R"("${/item/url}${/item/url}")"), R"("http://x/http://x/")");
  EXPECT_EQ(evaluate(R"(" ${/input/urls}")"), R"(" [\"a\",\"b\",\"c\"]")");
  EXPECT_EQ(evaluate(R"("${/input/none} ")"), R"("null ")");
}

TEST_F(TemplateTest, InterpolatedTextStaysOneJsonString) {
  EXPECT_EQ(evaluate(R"("<${/input/site}>")"), R"("<q\"s\n>")");
  EXPECT_EQ(evaluate(R"({"a\"": "x\\${/input/site}"})"), R"({"a\"":"x\\q\"s\n"})");
}

TEST_F(TemplateTest, ConstantsStayAsTheyAre) {
  EXPECT_EQ(evaluate(R"({"a": [1, -2.5, true, null, "x"], "b": {}, "c": []})"),
            R"({"a":[1,-2.5,true,null,"x"],"b":{},"c":[]})");
  EXPECT_TRUE(parse("[1]")->is_constant());
  EXPECT_EQ(*Template().evaluate_json(context_), "{}");
}

TEST_F(TemplateTest, TwoDollarsMakeALiteralReference) {
  EXPECT_EQ(evaluate(R"("$${/input/n}")"), R"("${/input/n}")");
  EXPECT_EQ(evaluate(R"("$5 $$ $${x} ${/index} $")"), R"("$5 $$ ${x} 3 $")");
  EXPECT_EQ(evaluate(R"("$$${/index}")"), R"("$${/index}")");
}

TEST_F(TemplateTest, PointersFollowRfc6901) {
  EXPECT_EQ(evaluate(R"("${/input/a~1b/~0x}")"), "true");
  EXPECT_EQ(evaluate(R"("${/input/urls/1}")"), R"("b")");
  EXPECT_EQ(evaluate(R"("${/input/0}")"), R"("zero")");
  EXPECT_NE(evaluate(R"("${/input/urls/01}")").find("expected the member '01'"), std::string::npos);
  EXPECT_NE(evaluate(R"("${/input/~2}")").find("~0 (for ~) or ~1 (for /)"), std::string::npos);
}

TEST_F(TemplateTest, AStarMapsOverAnArrayAndGivesNullForWhatIsMissing) {
  EXPECT_EQ(evaluate(R"("${/stages/fetch/*/body}")"), R"(["B0",null])");
  EXPECT_EQ(evaluate(R"("${/stages/fetch/*/error/code}")"), R"([null,"UNAVAILABLE"])");
  EXPECT_EQ(evaluate(R"("${/input/urls/*}")"), R"(["a","b","c"])");
  EXPECT_EQ(evaluate(R"("${/input/rows/*/*/v}")"), "[[1,null],null,[2]]");
  EXPECT_EQ(evaluate(R"("all: ${/input/urls/*}")"), R"("all: [\"a\",\"b\",\"c\"]")");
}

TEST_F(TemplateTest, AStarOnSomethingElseIsAnErrorThatNamesIt) {
  EXPECT_EQ(evaluate(R"("${/stages/page/*/body}")"),
            R"(${/stages/page/*/body}: expected an array at /stages/page, got {"body":"P"})");
}

TEST_F(TemplateTest, AMissingMemberIsAnErrorThatNamesThePointer) {
  EXPECT_EQ(evaluate(R"({"x": "${/input/url}"})"),
            "${/input/url}: expected the member 'url' in /input, got an object without it, did you "
            "mean 'urls'?");
  EXPECT_EQ(evaluate(R"("${/input/urls/3}")"),
            "${/input/urls/3}: expected the member '3' in /input/urls, got an array of 3 items");
  EXPECT_EQ(evaluate(R"("${/stages/page/body/x}")"),
            "${/stages/page/body/x}: expected the member 'x' in /stages/page/body, got \"P\"");
}

TEST_F(TemplateTest, ASkippedStageIsNull) {
  EXPECT_EQ(evaluate(R"({"s": "${/stages/skipped}"})"), R"({"s":null})");
  EXPECT_EQ(evaluate(R"("${/stages/skipped/x}")"),
            "${/stages/skipped/x}: expected the member 'x' in /stages/skipped, got null");
}

TEST_F(TemplateTest, BadReferencesAreFoundWhenItIsParsed) {
  EXPECT_EQ(evaluate(R"("${/inptu/x}")"),
            "expected /input, /item, /index or /stages/<name>, got '${/inptu/x}', did you mean "
            "'input'?");
  EXPECT_EQ(evaluate(R"("${/stages/fetsh}")"),
            "expected the name of a stage, got '${/stages/fetsh}', did you mean 'fetch'?");
  EXPECT_EQ(evaluate(R"("${input}")"),
            "expected a reference that starts with /input, /item, /index or /stages/<name>, got "
            "'${input}'");
  EXPECT_EQ(evaluate(R"("a ${/input")"),
            "expected a '}' after '${/input' (write $${ for a literal ${)");
  for (std::string text : {"${}", "${/}", "${/stages}", "${/index/x}", "${ /input}", "${//}"}) {
    EXPECT_FALSE(parse(json_quote(text)).ok()) << text;
  }
  EXPECT_FALSE(parse(R"({"${/input}": 1})").ok());
  scope_.item = false;
  EXPECT_EQ(evaluate(R"("${/item}")"),
            "expected /item and /index only in a stage with `each`, got '${/item}'");
}

TEST_F(TemplateTest, AParseErrorTellsWhereInTheTemplate) {
  TemplateError error;
  EXPECT_FALSE(
      Template::parse(*parse_json(R"({"a": [0, {"b/c": "${/x}"}]})"), scope_, &error).ok());
  EXPECT_EQ(error.pointer, "/a/1/b~1c");
}

TEST_F(TemplateTest, UsesNameTheirPlaceAndStage) {
  absl::StatusOr<Template> made = parse(R"({"a": ["${/stages/page}", "x${/input/n}"]})");
  ASSERT_EQ(made->uses().size(), 2u);
  EXPECT_EQ(made->uses()[0].pointer, "/a/0");
  EXPECT_EQ(made->uses()[0].reference.stage(), 1);
  EXPECT_TRUE(made->uses()[0].whole);
  EXPECT_FALSE(made->uses()[1].whole);
  made->renumber_stages({2, 0, 1});
  EXPECT_EQ(made->uses()[0].reference.stage(), 0);
}

TEST_F(TemplateTest, OneLargeValueNamedOftenIsRefusedBeforeItFillsTheMemory) {
  JsonDocument large;
  large.SetString(std::string(1 << 20, 'x'), large.GetAllocator());
  context_.input = &large;
  std::string many = "[\"${/input}\"";
  for (int i = 0; i < 5000; ++i) many += ",\"${/input}\"";
  absl::StatusOr<std::string> text = parse(many + "]")->evaluate_json(context_);
  EXPECT_EQ(text.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      text.status().message(),
      "${/input}: expected a value of at most 64MiB when all references are put in, got more");
}

TEST_F(TemplateTest, FindPointsIntoTheValue) {
  absl::StatusOr<Reference> reference = Reference::parse("/input/urls", scope_);
  absl::StatusOr<const JsonValue*> found = reference->find(context_);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, &input_["urls"]);
  EXPECT_TRUE((*Reference::parse("/stages/skipped", scope_)->find(context_))->IsNull());
  EXPECT_FALSE(Reference::parse("/input/urls/*", scope_)->find(context_).ok());
  EXPECT_FALSE(Reference::parse("/input/nothing", scope_)->find(context_).ok());
}

TEST_F(TemplateTest, TruthyIsFalseForNothingAndEmptiness) {
  auto truthy = [&](const std::string& json) {
    JsonDocument value = *parse_json(json);
    context_.input = &value;
    return Reference::parse("/input/v", scope_)->truthy(context_);
  };
  for (std::string value : {"null", "false", "0", "0.0", "\"\"", "[]", "{}"}) {
    EXPECT_FALSE(truthy("{\"v\": " + value + "}")) << value;
  }
  EXPECT_FALSE(truthy("{}"));
  EXPECT_FALSE(truthy("5"));
  for (std::string value : {"true", "1", "-0.5", "\"x\"", "\"false\"", "[0]", "{\"a\":null}"}) {
    EXPECT_TRUE(truthy("{\"v\": " + value + "}")) << value;
  }
}

}  // namespace
}  // namespace fermata

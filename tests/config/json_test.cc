#include "services/config/json.h"

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

std::string again(std::string_view text) {
  absl::StatusOr<JsonDocument> value = parse_json(text);
  return value.ok() ? to_json(*value) : std::string(value.status().message());
}

std::string error(std::string_view text, const JsonLimits& limits = {}) {
  absl::StatusOr<JsonDocument> value = parse_json(text, limits);
  return value.ok() ? "no error" : std::string(value.status().message());
}

TEST(Json, ReadsAndWritesEveryKindOfValue) {
  EXPECT_EQ(again(" {\"a\": [null, true, false, 1, -2.5, \"x\"], \"b\": {}} "),
            "{\"a\":[null,true,false,1,-2.5,\"x\"],\"b\":{}}");
  EXPECT_EQ(again("\"\\u00e9\\n\\u0001\\ud83c\\udfb5\""), "\"\xC3\xA9\\n\\u0001\xF0\x9F\x8E\xB5\"");
  EXPECT_EQ(again("[]"), "[]");
  EXPECT_EQ(again("0"), "0");
}

TEST(Json, KeepsIntegersExactly) {
  EXPECT_EQ(again("[9223372036854775807,-9223372036854775808,18446744073709551615]"),
            "[9223372036854775807,-9223372036854775808,18446744073709551615]");
}

TEST(Json, RoundsDecimalsToTheNearestDouble) {
  EXPECT_EQ(parse_json("0.1")->GetDouble(), 0.1);
  EXPECT_EQ(parse_json("2.2250738585072011e-308")->GetDouble(), 2.2250738585072011e-308);
  EXPECT_EQ(parse_json("123456789012345678901234567890")->GetDouble(), 1.2345678901234568e29);
  EXPECT_EQ(parse_json("1.7976931348623157e308")->GetDouble(), 1.7976931348623157e308);
  EXPECT_EQ(parse_json("1e-400")->GetDouble(), 0);
}

TEST(Json, SurvivesNumbersMadeToOverflowTheParser) {
  EXPECT_EQ(parse_json("0.01e-2147483639")->GetDouble(), 0);
  EXPECT_EQ(parse_json("1e-99999999999999999999")->GetDouble(), 0);
  EXPECT_EQ(parse_json("0." + std::string(100000, '0') + "1")->GetDouble(), 0);
  EXPECT_EQ(parse_json("1" + std::string(300, '0'))->GetDouble(), 1e300);
  for (std::string text : {std::string("1e309"), std::string("-1e309"),
                           std::string("1e99999999999"), "1" + std::string(400, '0'),
                           "1" + std::string(100000, '0'), std::string("1.7976931348623159e308")}) {
    EXPECT_NE(error(text).find("expected a number below 1.8e308"), std::string::npos)
        << text.substr(0, 30) << error(text);
  }
}

TEST(Json, RefusesWhatIsNotANumber) {
  for (std::string text : {"NaN", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "1e", "0x10",
                           "--1", "-", "1_000"}) {
    EXPECT_FALSE(parse_json(text).ok()) << text;
  }
}

TEST(Json, NamesLineColumnExpectedAndGot) {
  EXPECT_EQ(error("{\"a\": 1\n \"b\": 2}"), "line 2, column 2: expected ',' or '}', got '\"'");
  EXPECT_EQ(error("[1, 2"), "line 1, column 6: expected ',' or ']', got the end of the text");
  EXPECT_EQ(error(""), "line 1, column 1: expected a JSON value, got the end of the text");
  EXPECT_EQ(error("{a: 1}"), "line 1, column 2: expected a member name in double quotes, got 'a'");
  EXPECT_EQ(error("[1] x"), "line 1, column 5: expected the end after the value, got 'x'");
  EXPECT_EQ(error("[undefined]"), "line 1, column 2: expected a JSON value, got 'undefined'");
}

TEST(Json, RefusesDataAfterANulByte) {
  EXPECT_EQ(error(std::string("[1]\0garbage", 11)),
            "line 1, column 4: expected JSON, got a NUL byte");
}

TEST(Json, RefusesBytesThatAreNotUtf8) {
  EXPECT_EQ(error("\"ab\xFF\""), "line 1, column 4: expected UTF-8, got the byte 0xff");
  EXPECT_FALSE(parse_json("\"\xED\xA0\x80\"").ok());
}

TEST(Json, RefusesHalvesOfSurrogatePairs) {
  EXPECT_FALSE(parse_json("\"\\ud800\"").ok());
  EXPECT_FALSE(parse_json("\"\\ud800\\u0041\"").ok());
  EXPECT_NE(error("\"\\udc00\"").find("half of a surrogate pair"), std::string::npos);
  EXPECT_FALSE(parse_json("{\"\\udfff\": 1}").ok());
  EXPECT_TRUE(parse_json("\"\\ud800\\udc00\"").ok());
  EXPECT_TRUE(parse_json("\"\\ud7ff \\ue000\"").ok());
}

TEST(Json, RefusesTheSameKeyTwiceAndNamesTheObject) {
  EXPECT_EQ(error("{\"x\": [0, {\"a\": 1, \"a\": 2}]}"),
            "/x/1: expected every key once, got \"a\" twice");
  EXPECT_EQ(error("{\"a\":1,\"\\u0061\":2}"),
            "the object: expected every key once, got \"a\" twice");
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_EQ(error(many + "\"k7\":2}"), "the object: expected every key once, got \"k7\" twice");
  EXPECT_TRUE(parse_json(many + "\"k100\":2}").ok());
}

TEST(Json, LimitsNestingBeforeTheStackDoes) {
  EXPECT_TRUE(parse_json(std::string(200, '[') + std::string(200, ']')).ok());
  EXPECT_EQ(error(std::string(201, '[') + std::string(201, ']')),
            "line 1, column 202: expected at most 200 arrays and objects inside each other");
  EXPECT_FALSE(parse_json(std::string(5000000, '[')).ok());
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(parse_json(objects).ok());
  EXPECT_TRUE(parse_json("[[1],[2],[3]]", {.depth = 2}).ok());
  EXPECT_FALSE(parse_json("[[[]]]", {.depth = 2}).ok());
}

TEST(Json, LimitsTheSize) {
  absl::Status status = parse_json("[1,2,3]", {.bytes = 6}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "expected at most 6B of JSON, got 7 bytes");
  EXPECT_TRUE(parse_json("[1,2,3]", {.bytes = 7}).ok());
}

TEST(Json, QuotesForMessagesAndText) {
  EXPECT_EQ(json_quote("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\n\\u0001\"");
  EXPECT_EQ(again(json_quote("\b\f\r\t/\x7F")), json_quote("\b\f\r\t/\x7F"));
  EXPECT_EQ(json_pointer_step("a/b~c"), "/a~1b~0c");
  EXPECT_EQ(json_preview(*parse_json("{\"a\":[1,\"two\"]}")), "{\"a\":[1,\"two\"]}");
  EXPECT_EQ(json_preview(*parse_json("[1,2,3,4,5,6,7,8,9]")), "an array of 9 items");
  EXPECT_EQ(json_preview(*parse_json(json_quote(std::string(100, 'x'))), 5), "\"xxxxx...\"");
}

// Whatever bytes come, parse_json answers, and what it accepts survives a round trip.
TEST(Json, AnswersForEveryMutationOfValidText) {
  const std::string seed =
      "{\"urls\": [\"http://a/\\u00e9\", null, -1.5e3], \"n\": {\"x\": [true, "
      "18446744073709551615]}}";
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = seed;
    for (unsigned edits = random() % 4 + 1; edits > 0; --edits) {
      size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 5);
          break;
        default:
          text.insert(at, 1, "{}[]\",:\\u0e-9n"[random() % 14]);
      }
      if (text.empty()) text = "x";
    }
    absl::StatusOr<JsonDocument> value = parse_json(text);
    if (!value.ok()) {
      ASSERT_TRUE(is_utf8(from_absl(value.status().message()))) << value.status();
      continue;
    }
    ++accepted;
    std::string printed = to_json(*value);
    ASSERT_EQ(again(printed), printed);
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace fermata

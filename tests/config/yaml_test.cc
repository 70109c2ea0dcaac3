#include <random>
#include <string>

#include "gtest/gtest.h"
#include "services/config/yaml_reader.h"
#include "services/config/yaml_tree.h"

namespace fermata {
namespace {

std::string error(const std::string& text, const YamlLimits& limits = {}) {
  absl::StatusOr<YamlFile> file = parse_yaml(text, "f.yaml", limits);
  return file.ok() ? "" : std::string(file.status().message());
}

std::string json(const std::string& text) {
  absl::StatusOr<YamlFile> file = parse_yaml(text, "f.yaml");
  if (!file.ok()) return std::string(file.status().message());
  JsonDocument document;
  return to_json(yaml_to_json(*file->root, document.GetAllocator()));
}

TEST(YamlTree, EveryNodeAndKeyKnowsItsPlace) {
  YamlFile file = *parse_yaml("a: 1\nb:\n  - x\n  - {c: 'y'}\nd:\n", "f.yaml");
  const YamlNode& root = *file.root;
  EXPECT_EQ(root.members[1].mark.line, 2);
  EXPECT_EQ(root.members[1].mark.column, 1);
  const YamlNode& c = *root.find("b")->items[1]->find("c");
  EXPECT_EQ(c.mark.line, 4);
  EXPECT_EQ(c.mark.column, 9);
  EXPECT_TRUE(c.quoted);
  EXPECT_FALSE(root.find("b")->items[0]->quoted);
  // A value that is not there is at its key.
  EXPECT_EQ(root.find("d")->mark.line, 5);
  EXPECT_EQ(root.find("none"), nullptr);
}

TEST(YamlTree, ScalarsFollowTheCoreSchema) {
  EXPECT_EQ(json("[1, -2, +3, 0x1F, 0o17, 1.5, -.5, 1e3, 12e-1]"),
            "[1,-2,3,31,15,1.5,-0.5,1000.0,1.2]");
  EXPECT_EQ(json("[true, FALSE, null, ~, Null, yes, no, on]"),
            "[true,false,null,null,null,\"yes\",\"no\",\"on\"]");
  EXPECT_EQ(json("['1', \"true\", !!x]").substr(0, 6), "f.yaml");
  EXPECT_EQ(json("['1', \"true\", '']"), "[\"1\",\"true\",\"\"]");
  EXPECT_EQ(
      json("[5s, 1.2.3, 1_000, 0x, 0o9, ., -, +, e5, 1e, .e1, 1-2, 2020-01-01]"),
      "[\"5s\",\"1.2.3\",\"1_000\",\"0x\",\"0o9\",\".\",\"-\",\"+\",\"e5\",\"1e\",\".e1\",\"1-2\","
      "\"2020-01-01\"]");
  EXPECT_EQ(json("[18446744073709551615, -9223372036854775808]"),
            "[18446744073709551615,-9223372036854775808]");
  EXPECT_EQ(json("[.nan, .inf, -.inf, 1e999]"), "[\".nan\",\".inf\",\"-.inf\",\"1e999\"]");
  EXPECT_EQ(json("a: |\n  two\n  lines\n"), "{\"a\":\"two\\nlines\\n\"}");
}

TEST(YamlTree, KeysAreUniqueTextAtAnyDepth) {
  EXPECT_EQ(error("a: 1\nb: {c: 1, c: 2}\n"),
            "f.yaml:2:11: expected every key once, got 'c' twice");
  EXPECT_EQ(error("a: 1\n? [x]\n: 2\n"), "f.yaml:2:3: expected a key, got a list");
  EXPECT_EQ(error("? {x: 1}\n: 2\n"), "f.yaml:1:3: expected a key, got a mapping");
  EXPECT_EQ(error("~: 2\n"), "f.yaml:1:1: expected a key, got nothing");
}

TEST(YamlTree, WhatJsonDoesNotHaveIsRefused) {
  EXPECT_EQ(error("a: !!binary aGk=\n"),
            "f.yaml:1:4: expected a value without a tag, got the tag 'tag:yaml.org,2002:binary'");
  EXPECT_EQ(error("a: &x {b: 1}\nc:\n  <<: *x\n"),
            "f.yaml:3:3: merge keys ('<<') are not supported, expected the keys themselves");
  EXPECT_EQ(error("a: 1\n---\nb: 2\n"), "f.yaml:3:1: expected one document, got a second one");
}

TEST(YamlTree, AliasesAreValuesButNotBombs) {
  EXPECT_EQ(json("a: &x [1]\nb: *x\n"), "{\"a\":[1],\"b\":[1]}");
  EXPECT_EQ(error("a: &x [*x]\n"),
            "f.yaml:1:8: expected an alias of a finished node, got one inside its own anchor");
  EXPECT_NE(error("a: *nothing\n"), "");
  std::string bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 20; ++i) {
    std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_NE(error(bomb).find("expected at most 100000 values after aliases are expanded"),
            std::string::npos);
}

TEST(YamlTree, LimitsSizeDepthAndCount) {
  EXPECT_EQ(error(std::string(11, '#'), {.bytes = 10}),
            "f.yaml:1:1: expected a file of at most 10B, got 11 bytes");
  EXPECT_EQ(error("[[[1]]]", {.depth = 2}),
            "f.yaml:1:3: expected at most 2 mappings and lists inside each other");
  EXPECT_NE(error("[1,2,3,4]", {.nodes = 4}), "");
  for (std::string open : {"[", "{", "- ", "? ", "{a: ", "[{"}) {
    std::string deep;
    for (int i = 0; i < 20000; ++i) deep += open;
    EXPECT_NE(error(deep), "") << open;
  }
}

TEST(YamlTree, RefusesWhatIsNotText) {
  EXPECT_EQ(error("a: \xFF"), "f.yaml:1:4: expected UTF-8, got the byte 0xff");
  EXPECT_EQ(error(std::string("a: 1\nb\0: 2", 10)),
            "f.yaml:2:2: expected text, got the control character 0x00");
  EXPECT_EQ(error("a: 1\n\x04garbage"),
            "f.yaml:2:1: expected text, got the control character 0x04");
  EXPECT_NE(error("\xFE\xFF\0a"), "");
  EXPECT_EQ(json("\xEF\xBB\xBF"
                 "a: \xE2\x82\xAC\r\n"),
            "{\"a\":\"\xE2\x82\xAC\"}");
}

TEST(YamlTree, SyntaxErrorsHaveAPlaceAndUnquotedReferencesAHint) {
  EXPECT_EQ(error("a: [1\n"), "f.yaml:2:1: expected YAML, got: end of sequence flow not found");
  EXPECT_EQ(error("a: 1\n b: 2\n").substr(0, 10), "f.yaml:2:3");
  EXPECT_NE(error("a: { url: ${/item} }\n").find("a reference needs quotes: \"${...}\""),
            std::string::npos);
  EXPECT_EQ(error("a: [1\n").find("quotes"), std::string::npos);
}

TEST(YamlTree, AnEmptyFileIsAMappingWithoutKeys) {
  for (std::string text : {"", "# only a comment\n", "---\n", "~\n"}) EXPECT_EQ(json(text), "{}");
}

TEST(YamlReader, CollectsEveryErrorInTheOrderOfTheirPlaces) {
  YamlFile file = *parse_yaml("b: x\na: [1]\nzz: 1\n", "f.yaml");
  YamlErrors errors("f.yaml");
  YamlReader reader(errors, *file.root, "");
  EXPECT_EQ(reader.text("a", "fallback"), "fallback");
  EXPECT_EQ(reader.integer("b", 7, {0, 9}), 7);
  reader.required_text("c");
  reader.finish();
  EXPECT_EQ(errors.status().message(),
            "f.yaml:1:1: the file, expected the key 'c', got a mapping without it\n"
            "f.yaml:1:4: b, expected a whole number from 0 to 9, got 'x'\n"
            "f.yaml:2:4: a, expected text, got a list\n"
            "f.yaml:3:1: unknown key 'zz', expected one of a, b, c");
}

TEST(YamlReader, ReportsAtMostTwentyErrors) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "key" + std::to_string(i) + ": 1\n";
  YamlFile file = *parse_yaml(text, "f.yaml");
  YamlErrors errors("f.yaml");
  YamlReader(errors, *file.root, "").finish();
  std::string message(errors.status().message());
  EXPECT_NE(message.find("f.yaml:20:1"), std::string::npos);
  EXPECT_EQ(message.find("f.yaml:21:1"), std::string::npos);
  EXPECT_NE(message.find("f.yaml: and 10 more errors"), std::string::npos);
}

TEST(YamlReader, GettersTakeTheirKindAndRangeOnly) {
  YamlFile file = *parse_yaml(
      "i: 5\nq: '5'\nf: 2.5\nt: true\nd: 1m30s\ns: 4MiB\nw: two\nn:\nm: {x: 1}\n", "f.yaml");
  YamlErrors errors("f.yaml");
  YamlReader reader(errors, *file.root, "");
  EXPECT_EQ(reader.integer("i", 0, {0, 9}), 5);
  EXPECT_EQ(reader.number("f", 0, {0, 9}), 2.5);
  EXPECT_EQ(reader.number("i", 0, {0, 9}), 5);
  EXPECT_TRUE(reader.boolean("t", false));
  EXPECT_EQ(reader.duration("d", {}, {absl::ZeroDuration(), absl::Hours(1)}), absl::Seconds(90));
  EXPECT_EQ(reader.bytes("s", 0, {0, 1 << 30}), 4u << 20);
  EXPECT_EQ(reader.choice<int>("w", 0, {{"one", 1}, {"two", 2}}), 2);
  EXPECT_EQ(reader.child("m").integer("x", 0, {0, 9}), 1);
  EXPECT_EQ(reader.child("absent").integer("x", 3, {0, 9}), 3);
  EXPECT_EQ(reader.text("absent", "fallback"), "fallback");
  EXPECT_TRUE(errors.ok());
  EXPECT_EQ(reader.integer("q", 1, {0, 9}), 1);
  EXPECT_EQ(reader.integer("f", 1, {0, 9}), 1);
  EXPECT_EQ(reader.text("n", "x"), "x");
  EXPECT_FALSE(reader.boolean("i", false));
  EXPECT_EQ(reader.duration("d", {}, {absl::ZeroDuration(), absl::Seconds(5)}),
            absl::ZeroDuration());
  EXPECT_EQ(reader.bytes("s", 1, {0, 1}), 1u);
  EXPECT_EQ(errors.status().message(),
            "f.yaml:1:4: i, expected true or false, got '5'\n"
            "f.yaml:2:4: q, expected a whole number from 0 to 9, got '5'\n"
            "f.yaml:3:4: f, expected a whole number from 0 to 9, got '2.5'\n"
            "f.yaml:5:4: d, expected a duration from 0s to 5s, got '1m30s'\n"
            "f.yaml:6:4: s, expected a size from 0B to 1B, got '4MiB'\n"
            "f.yaml:8:1: n, expected text, got nothing");
}

// Whatever bytes come, the parser answers.
TEST(YamlTree, AnswersForEveryMutationOfValidText) {
  const std::string seed =
      "pipeline: p\ninput: &i {type: object}\nstages:\n  a:\n    use: 'x/y'\n    each: ${/input}\n"
      "    with: {url: \"${/item}\", n: [1, -2.5, *i]}\n  # comment\n  b: |\n    text\n";
  std::mt19937 random(3);
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text = seed;
    for (unsigned edits = random() % 4 + 1; edits > 0; --edits) {
      size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 8);
          break;
        default:
          text.insert(at, 1, "{}[]\"':&*!|>-?#%@ \n\t"[random() % 20]);
      }
      if (text.empty()) text = "x";
    }
    std::string answer = json(text);
    accepted += answer.substr(0, 7) != "f.yaml:";
    ASSERT_NE(answer, "");
  }
  EXPECT_GT(accepted, 50);
}

}  // namespace
}  // namespace fermata

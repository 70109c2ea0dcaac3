// Every mistake a pipeline file can have, with the exact words it is answered with.
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/pipeline/pipeline.h"
#include "tests/pipeline/fake_catalog.h"

namespace fermata {
namespace {

std::string error(const std::string& text) {
  FakeCatalog catalog = FakeCatalog::shipped();
  absl::Status status = parse_pipeline(text, "p.yaml", &catalog).status();
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

// A pipeline with one stage `a`, which is a time/delay and has these further lines.
std::string stage_error(const std::string& lines) {
  return error("pipeline: p\nstages:\n  a:\n    use: time/delay\n    with: { for: 1s }\n" + lines);
}

TEST(PipelineErrors, UnknownKeysNameTheNearestOne) {
  EXPECT_EQ(stage_error("    retyr: { attempts: 1 }\n"),
            "p.yaml:6:5: stages.a: unknown key 'retyr', did you mean 'retry'?");
  EXPECT_EQ(stage_error("    retry: { atempts: 1 }\n"),
            "p.yaml:6:14: stages.a.retry: unknown key 'atempts', did you mean 'attempts'?");
  EXPECT_EQ(stage_error("results: 1\n"),
            "p.yaml:6:1: unknown key 'results', did you mean 'result'?");
  EXPECT_EQ(
      stage_error("    colour: red\n"),
      "p.yaml:6:5: stages.a: unknown key 'colour', expected one of use, each, parallel, gather, "
      "with, after, when, if_lost, retry, timeout");
}

TEST(PipelineErrors, KeysOfLaterVersionsSaySo) {
  for (std::string key : {"fallback", "compensate", "batch", "limits", "breaker"}) {
    EXPECT_EQ(stage_error("    " + key + ": {}\n"), "p.yaml:6:5: stages.a: unknown key '" + key +
                                                        "', this version does not support it yet");
  }
}

// Of 20 errors that are shown each has its hint, and of many more none is looked for: these would
// take minutes.
TEST(PipelineErrors, HintsAreLookedForOnlyWhileTheyAreShown) {
  const std::string filler(20, 'n');
  std::string stages = "pipeline: p\nstages:\n";
  for (int i = 0; i < 900; ++i) {
    const std::string wrong = "m" + filler + std::to_string(i);
    stages += " s" + std::to_string(i) + filler + ": { use: time/delay, after: [" + wrong + ", " +
              wrong + ", " + wrong + ", " + wrong + ", " + wrong + "] }\n";
  }
  EXPECT_NE(error(stages).find("p.yaml: and 4480 more errors"), std::string::npos);
  EXPECT_NE(error(R"(
pipeline: p
stages:
  first: { use: time/delay, with: { for: 1s }, after: [thrid] }
  third: { use: time/delay, with: { for: 1s } }
)")
                .find("did you mean 'third'?"),
            std::string::npos);

  std::string input = "pipeline: p\ninput:\n  additionalProperties: false\n  properties:\n";
  for (int i = 0; i < 3000; ++i) input += "    " + filler + std::to_string(i) + ": {}\n";
  input += "stages:\n  a: { use: time/delay, with: { for: 1s } }\nresult:\n";
  for (int i = 0; i < 3000; ++i) {
    input += "  - ${/input/m" + filler + std::to_string(i) + "}\n";
  }
  EXPECT_NE(error(input).find("p.yaml: and 2980 more errors"), std::string::npos);
}

TEST(PipelineErrors, AbsurdNumbersNameTheRange) {
  EXPECT_EQ(
      stage_error("    retry: { attempts: -1 }\n"),
      "p.yaml:6:24: stages.a.retry.attempts, expected a whole number from 1 to 1000, got '-1'");
  EXPECT_EQ(stage_error("    timeout: 0s\n"),
            "p.yaml:6:14: stages.a.timeout, expected a duration from 1ms to 720h, got '0s'");
  EXPECT_EQ(stage_error("    timeout: 10\n"),
            "p.yaml:6:14: stages.a.timeout, expected a duration from 1ms to 720h, got '10'");
  EXPECT_EQ(stage_error("    each: ${/input}\n    parallel: 0\n"),
            "p.yaml:7:15: stages.a.parallel, expected a whole number from 1 to 10000, got '0'");
  EXPECT_EQ(
      stage_error("    each: ${/input}\n    gather: { quorum: 0 }\n"),
      "p.yaml:7:23: stages.a.gather.quorum, expected a whole number from 1 to 10000, got '0'");
  for (std::string value : {"1.5", "\"5\"", "1e3", "many", "99999999999999999999", "[1]", ""}) {
    EXPECT_NE(stage_error("    retry: { attempts: " + value + " }\n"), "") << value;
  }
  EXPECT_EQ(stage_error("    retry: { factor: 0.5 }\n"),
            "p.yaml:6:22: stages.a.retry.factor, expected a number from 1 to 100, got '0.5'");
  EXPECT_EQ(stage_error("    retry: { factor: .nan }\n"),
            "p.yaml:6:22: stages.a.retry.factor, expected a number from 1 to 100, got '.nan'");
  EXPECT_EQ(stage_error("    retry: { initial: 10s, max: 5s }\n"),
            "p.yaml:6:33: stages.a.retry.max, expected a duration of at least `initial`, got '5s'");
}

TEST(PipelineErrors, WordsOutsideAChoiceNameTheChoice) {
  EXPECT_EQ(stage_error("    each: ${/input}\n    gather: setled\n"),
            "p.yaml:7:13: stages.a.gather, expected all or settled or first or {quorum: N}, got "
            "'setled', did you mean 'settled'?");
  EXPECT_EQ(stage_error("    each: ${/input}\n    gather: quorum\n"),
            "p.yaml:7:13: stages.a.gather, expected {quorum: N}, got quorum without a number");
  EXPECT_EQ(stage_error("    if_lost: fial\n"),
            "p.yaml:6:14: stages.a.if_lost, expected retry or fail, got 'fial', did you mean "
            "'fail'?");
  EXPECT_EQ(stage_error("    if_lost: [fail]\n"),
            "p.yaml:6:14: stages.a.if_lost, expected retry or fail, got a list");
  EXPECT_EQ(stage_error("    retry: { jitter: yes }\n"),
            "p.yaml:6:22: stages.a.retry.jitter, expected full or none, got 'yes'");
}

TEST(PipelineErrors, FanOutKeysNeedEach) {
  EXPECT_EQ(stage_error("    parallel: 4\n    gather: first\n"),
            "p.yaml:6:15: stages.a.parallel, expected a stage with `each`, got one without\n"
            "p.yaml:7:13: stages.a.gather, expected a stage with `each`, got one without");
}

TEST(PipelineErrors, WrongShapesSayWhatTheyAre) {
  EXPECT_EQ(stage_error("    retry: 5\n"),
            "p.yaml:6:12: stages.a.retry, expected a mapping, got '5'");
  EXPECT_EQ(error("pipeline: p\nstages: [a]\n"),
            "p.yaml:2:9: stages, expected a mapping with at least one stage, got a list");
  EXPECT_EQ(error("pipeline: p\nstages: {}\n"),
            "p.yaml:2:9: stages, expected a mapping with at least one stage, got a mapping");
  EXPECT_EQ(error("pipeline: p\n"),
            "p.yaml:1:1: stages, expected a mapping with at least one stage, got nothing");
  EXPECT_EQ(error("pipeline: p\nstages: { a: http/get }\n"),
            "p.yaml:2:14: stages.a, expected a mapping, got 'http/get'");
  EXPECT_EQ(error("pipeline: p\nstages: { a: { with: {} } }\n"),
            "p.yaml:2:14: stages.a, expected the key 'use', got a mapping without it");
  EXPECT_EQ(error("just text"),
            "p.yaml:1:1: the file, expected a mapping, got 'just text'\n"
            "p.yaml:1:1: the file, expected the key 'pipeline', got a mapping "
            "without it\n"
            "p.yaml:1:1: stages, expected a mapping with at least one stage, got "
            "nothing");
  EXPECT_EQ(stage_error("result:\n"), "p.yaml:6:1: result, expected a value, got nothing");
}

TEST(PipelineErrors, NamesAreLabels) {
  EXPECT_EQ(
      error("pipeline: no spaces\nstages: { a: { use: http/get, with: { url: x } } }\n"),
      "p.yaml:1:11: pipeline, expected at most 63 letters, digits, '_' and '-', a letter first, "
      "got 'no spaces'");
  EXPECT_EQ(error("pipeline: p\nstages: { a/b: { use: http/get, with: { url: x } } }\n"),
            "p.yaml:2:11: the name of a stage, expected at most 63 letters, digits, '_' and '-', a "
            "letter first, got 'a/b'");
}

TEST(PipelineErrors, UnknownStagesNameTheNearestOrAll) {
  EXPECT_EQ(
      error("pipeline: p\nstages: { a: { use: htpp/get, with: { url: x } } }\n"),
      "p.yaml:2:21: stages.a.use, expected a stage that is loaded, got 'htpp/get', did you mean "
      "'http/get'?");
  EXPECT_EQ(
      error("pipeline: p\nstages: { a: { use: database/query } }\n"),
      "p.yaml:2:21: stages.a.use, expected a stage that is loaded, got 'database/query', there "
      "are html/select, http/get, json/merge, json/pick, time/delay");
  EXPECT_EQ(error("pipeline: p\nstages: { a: { use: http } }\n"),
            "p.yaml:2:21: stages.a.use, expected plugin/stage or plugin/stage@version, got 'http'");
}

TEST(PipelineErrors, DanglingReferencesAreFoundAtLoad) {
  EXPECT_EQ(
      stage_error("  b: { use: http/get, with: { url: \"${/stages/aa/url}\" } }\n"),
      "p.yaml:6:36: stages.b.with/url, expected the name of a stage, got '${/stages/aa/url}', "
      "did you mean 'a'?");
  EXPECT_EQ(stage_error("    when: ${/stages/x}\n"),
            "p.yaml:6:11: stages.a.when, expected the name of a stage, got '${/stages/x}'");
  EXPECT_EQ(
      stage_error("  b: { use: http/get, with: { url: \"${/item}\" } }\n"),
      "p.yaml:6:36: stages.b.with/url, expected /item and /index only in a stage with `each`, "
      "got '${/item}'");
  EXPECT_EQ(stage_error("result: { x: [\"${/item}\"] }\n"),
            "p.yaml:6:15: result/x/0, expected /item and /index only in a stage with `each`, got "
            "'${/item}'");
  EXPECT_EQ(
      stage_error("    after: [a1, 7]\n"),
      "p.yaml:6:13: stages.a.after, expected the name of a stage, got 'a1', did you mean 'a'?\n"
      "p.yaml:6:17: stages.a.after, expected the name of a stage, got '7'");
  EXPECT_EQ(
      stage_error("    each: [1, 2]\n"),
      "p.yaml:6:11: stages.a.each, expected one reference such as ${/input/urls}, got a list");
  EXPECT_EQ(stage_error("    each: x${/input}\n"),
            "p.yaml:6:11: stages.a.each, expected one reference such as ${/input/urls}, got "
            "'x${/input}'");
}

TEST(PipelineErrors, CyclesAreNamedAsTheDataFlows) {
  std::string url = "use: http/get, with: { url: \"${/stages/";
  EXPECT_EQ(
      error("pipeline: p\nstages:\n"
            "  start: { use: time/delay, with: { for: 1s } }\n"
            "  a: { " +
            url +
            "c/x}\" } }\n"
            "  b: { " +
            url +
            "a/x}\" } }\n"
            "  c: { " +
            url +
            "b/x}\" }, after: [start] }\n"
            "  d: { " +
            url + "c/x}\" } }\n"),
      "p.yaml:4:36: stages, expected no stage to wait for itself, got the cycle a -> b -> c -> "
      "a");
  EXPECT_EQ(stage_error("    after: [a]\n"),
            "p.yaml:6:13: stages, expected no stage to wait for itself, got the cycle a -> a");
}

TEST(PipelineErrors, ReferencesTheInputSchemaForbidsAreFound) {
  const std::string head =
      "pipeline: p\ninput: { type: object, additionalProperties: false, properties: { urls: { "
      "type: "
      "array, items: { type: string } }, n: { type: integer } } }\nstages:\n  a:\n    use: "
      "http/get\n";
  EXPECT_EQ(error(head + "    with: { url: \"${/input/url}\" }\n"),
            "p.yaml:6:18: stages.a.with/url, expected a place that the input's schema allows, got "
            "'${/input/url}', did you mean 'urls'?");
  EXPECT_EQ(error(head + "    with: { url: \"${/input/urls/0/x}\" }\n"),
            "p.yaml:6:18: stages.a.with/url, expected a place that the input's schema allows, got "
            "'${/input/urls/0/x}'");
  EXPECT_EQ(error(head + "    with: { url: \"${/item}\" }\n    each: ${/input/n}\n"),
            "p.yaml:7:11: stages.a.each, expected an array to go over, got '${/input/n}', which is "
            "never one");
  EXPECT_EQ(error(head + "    with: { url: \"${/input/urls/0} ${/input/n} ${/input/urls/*}\" }\n"),
            "");
}

TEST(PipelineErrors, ReferencesIntoAFanOutNeedAnIndexOrAStar) {
  const std::string head =
      "pipeline: p\nstages:\n  f: { use: http/get, each: \"${/input}\", with: { url: \"${/item}\" "
      "}";
  EXPECT_EQ(
      error(head + " }\n  g: { use: html/select, with: { html: \"${/stages/f/body}\", xpath: x "
                   "} }\n"),
      "p.yaml:4:40: stages.g.with/html, expected '*' or an index after /stages/f, which has "
      "`each` and so gives an array (${/stages/f/*/body}), got '${/stages/f/body}'");
  EXPECT_EQ(error(head + ", gather: first }\nresult: ${/stages/f/body}\n"), "");
  EXPECT_EQ(error(head + " }\nresult: [\"${/stages/f/0/body}\", \"${/stages/f/*/body}\"]\n"), "");
}

TEST(PipelineErrors, InputsThatTheStageRefusesAreFoundWhateverTheReferencesGive) {
  EXPECT_EQ(error("pipeline: p\nstages: { a: { use: http/get, with: { ulr: \"${/input}\" } } }\n"),
            "p.yaml:2:37: stages.a.with/url, expected string, got nothing (input of http/get)");
  EXPECT_EQ(error("pipeline: p\nstages: { a: { use: http/get } }\n"),
            "p.yaml:2:11: stages.a.with/url, expected string, got nothing (input of http/get)");
  EXPECT_EQ(error("pipeline: p\nstages: { a: { use: http/get, with: { url: 5 } } }\n"),
            "p.yaml:2:44: stages.a.with/url, expected string, got 5 (input of http/get)");
  EXPECT_EQ(
      error("pipeline: p\nstages: { a: { use: http/get, with: { url: \"${/input}\", expect: "
            "anny } } }\n"),
      "p.yaml:2:65: stages.a.with/expect, expected one of \"success\", \"any\", got \"anny\", "
      "did you mean 'any'? (input of http/get)");
  EXPECT_EQ(error("pipeline: p\nstages: { a: { use: http/get, with: { url: x, tmeout: 1s } } }\n"),
            "p.yaml:2:55: stages.a.with/tmeout, expected one of the members url, timeout, expect, "
            "got 'tmeout', did you mean 'timeout'? (input of http/get)");
}

TEST(PipelineErrors, ABadInputSchemaIsFoundAtItsLine) {
  EXPECT_EQ(
      error("pipeline: p\ninput:\n  type: object\n  properties:\n    a: { type: strin }\n"
            "stages: { a: { use: time/delay, with: { for: 1s } } }\n"),
      "p.yaml:5:16: input/properties/a/type: expected null, boolean, integer, number, string, "
      "array or object, got \"strin\"");
  EXPECT_EQ(error("pipeline: p\ninput: { requierd: [a] }\n"
                  "stages: { a: { use: time/delay, with: { for: 1s } } }\n"),
            "p.yaml:2:20: input/requierd: unknown keyword 'requierd', did you mean 'required'?");
}

TEST(PipelineErrors, AllMistakesAreReportedInOrder) {
  EXPECT_EQ(
      error("pipeline: p\nstages:\n  a: { use: x, timeout: 0s, what: 1 }\n  b: { us: y }\n"),
      "p.yaml:3:13: stages.a.use, expected plugin/stage or plugin/stage@version, got 'x'\n"
      "p.yaml:3:25: stages.a.timeout, expected a duration from 1ms to 720h, got '0s'\n"
      "p.yaml:3:29: stages.a: unknown key 'what', expected one of use, each, parallel, gather, "
      "with, after, when, if_lost, retry, timeout\n"
      "p.yaml:4:6: stages.b, expected the key 'use', got a mapping without it\n"
      "p.yaml:4:8: stages.b: unknown key 'us', did you mean 'use'?");
}

// Whatever becomes of a file, the loader answers, and what it accepts is in order.
TEST(PipelineErrors, EveryMutationOfAPipelineGetsAnAnswer) {
  const std::string seed =
      "pipeline: p\ninput: { type: object, required: [urls] }\nstages:\n"
      "  a:\n    use: http/get\n    each: ${/input/urls}\n    with: { url: \"${/item} ${/index}\" "
      "}\n"
      "    gather: { quorum: 2 }\n    retry: &r { attempts: 2, max: 5s }\n"
      "  b:\n    use: html/select@1\n    when: ${/input/n}\n    after: [a]\n    retry: *r\n"
      "    with: { html: \"${/stages/a/*/body}\", xpath: \"$${\" }\n"
      "result: [\"${/stages/b}\", \"${/input/urls/0}\"]\n";
  FakeCatalog catalog = FakeCatalog::shipped();
  ASSERT_TRUE(parse_pipeline(seed, "p.yaml", &catalog).ok());
  std::mt19937 random(5);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = seed;
    for (unsigned edits = random() % 3 + 1; edits > 0; --edits) {
      size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 6);
          break;
        default:
          text.insert(at, 1, "{}[]\"':&*$/@~-#0x \n"[random() % 20]);
      }
    }
    auto pipeline = parse_pipeline(text, "p.yaml", &catalog);
    if (!pipeline.ok()) {
      ASSERT_EQ(pipeline.status().message().substr(0, 7), "p.yaml:") << pipeline.status();
      continue;
    }
    ++accepted;
    const std::vector<PipelineStage>& stages = (*pipeline)->stages;
    for (size_t i = 0; i < stages.size(); ++i) {
      for (int before : stages[i].after) ASSERT_LT(before, static_cast<int>(i)) << text;
    }
  }
  EXPECT_GT(accepted, 20);
}

TEST(PipelineErrors, TooManyStagesAreRefused) {
  std::string text = "pipeline: p\nstages:\n";
  for (int i = 0; i < 1001; ++i) text += "  s" + std::to_string(i) + ": { use: a/b }\n";
  EXPECT_EQ(error(text), "p.yaml:3:3: stages, expected at most 1000 stages, got 1001");
}

TEST(PipelineErrors, ALongChainOfStagesSorts) {
  std::string text = "pipeline: p\nstages:\n";
  for (int i = 0; i < 1000; ++i) {
    text += "  s" + std::to_string(i) + ": { use: time/delay, with: { for: 1s }" +
            (i < 999 ? ", after: s" + std::to_string(i + 1) : "") + " }\n";
  }
  EXPECT_EQ(error(text), "");
}

}  // namespace
}  // namespace fermata

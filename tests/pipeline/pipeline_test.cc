#include "services/pipeline/pipeline.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/pipeline/fake_catalog.h"

namespace fermata {
namespace {

std::shared_ptr<const Pipeline> parse(std::string_view text) {
  FakeCatalog catalog = FakeCatalog::shipped();
  absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline =
      parse_pipeline(text, "test.yaml", &catalog);
  EXPECT_TRUE(pipeline.ok()) << pipeline.status();
  return pipeline.ok() ? *pipeline : nullptr;
}

std::vector<std::string> order(const Pipeline& pipeline) {
  std::vector<std::string> names;
  for (const PipelineStage& stage : pipeline.stages) names.push_back(stage.name);
  return names;
}

TEST(Pipeline, ReadsEveryKeyOfAStage) {
  auto pipeline = parse(R"(
pipeline: scrape
input: { type: object, required: [urls] }
stages:
  first: { use: time/delay, with: { for: 1ms } }
  fetch:
    use: http/get@1.2.0
    each: ${/input/urls}
    when: ${/input/urls}
    with: { url: "${/item}", timeout: 5s }
    after: [first]
    parallel: 64
    gather: { quorum: 3 }
    retry: { attempts: 3, initial: 250ms, factor: 1.5, max: 1m, jitter: none }
    timeout: 10s
result: ["${/stages/fetch}"]
)");
  ASSERT_NE(pipeline, nullptr);
  EXPECT_EQ(pipeline->name, "scrape");
  EXPECT_FALSE(pipeline->input->validate(*parse_json("{}")).ok());
  int index = pipeline->find("fetch");
  ASSERT_EQ(index, 1);
  const PipelineStage& stage = pipeline->stages[1];
  EXPECT_EQ(stage.use, "http/get@1.2.0");
  EXPECT_EQ(stage.each->text(), "/input/urls");
  EXPECT_EQ(stage.when->text(), "/input/urls");
  EXPECT_EQ(to_json(stage.with.source()), R"({"url":"${/item}","timeout":"5s"})");
  EXPECT_EQ(stage.after, std::vector<int>{0});
  EXPECT_EQ(stage.parallel, 64);
  EXPECT_EQ(stage.gather, GatherMode::kQuorum);
  EXPECT_EQ(stage.quorum, 3);
  EXPECT_EQ(stage.retry.attempts, 3);
  EXPECT_EQ(stage.retry.initial, absl::Milliseconds(250));
  EXPECT_EQ(stage.retry.factor, 1.5);
  EXPECT_EQ(stage.retry.max, absl::Minutes(1));
  EXPECT_EQ(stage.retry.jitter, Jitter::kNone);
  EXPECT_EQ(stage.timeout, absl::Seconds(10));
  EXPECT_EQ(pipeline->find("nothing"), -1);
}

// The example that the design is explained with.
TEST(Pipeline, TheArchitecturesExampleLoads) {
  auto pipeline = parse(
      R"(pipeline: scrape                    # name; version = content hash, recorded on every job
input:                              # optional JSON Schema; checked at submit
  type: object
  required: [urls]
stages:
  fetch:
    use: http/get                   # <plugin>/<stage>, optionally @version
    each: ${/input/urls}            # fan-out: one call per item, bounded by `parallel`
    with: { url: "${/item}", timeout: 5s }
    parallel: 64
    gather: settled                 # all (default: first failure cancels the rest) | settled | ...
    retry: { attempts: 5, initial: 1s, factor: 2, max: 100s, jitter: full }
    timeout: 10s
  links:
    use: html/select
    after: [fetch]
    with: { html: "${/stages/fetch/*/body}", xpath: "//a/@href" }
result: ${/stages/links}
)");
  ASSERT_NE(pipeline, nullptr);
  EXPECT_EQ(order(*pipeline), (std::vector<std::string>{"fetch", "links"}));
  EXPECT_EQ(pipeline->stages[0].gather, GatherMode::kSettled);
  EXPECT_EQ(pipeline->stages[0].retry.max, absl::Seconds(100));
  EXPECT_EQ(pipeline->stages[1].after, std::vector<int>{0});
  EXPECT_EQ(to_json(pipeline->result.source()), R"("${/stages/links}")");
}

TEST(Pipeline, HasTheDocumentedDefaults) {
  auto pipeline = parse("pipeline: p\nstages: { a: { use: http/get, with: { url: x } } }\n");
  const PipelineStage& stage = pipeline->stages[0];
  EXPECT_EQ(pipeline->input, nullptr);
  EXPECT_FALSE(stage.each || stage.when);
  EXPECT_TRUE(stage.after.empty());
  EXPECT_EQ(stage.parallel, 16);
  EXPECT_EQ(stage.gather, GatherMode::kAll);
  EXPECT_EQ(stage.retry.attempts, 5);
  EXPECT_EQ(stage.retry.initial, absl::Seconds(1));
  EXPECT_EQ(stage.retry.factor, 2);
  EXPECT_EQ(stage.retry.max, absl::Seconds(100));
  EXPECT_EQ(stage.retry.jitter, Jitter::kFull);
  EXPECT_EQ(stage.timeout, absl::Seconds(60));
}

std::shared_ptr<const Pipeline> with_if_lost(const std::string& lines) {
  return parse("pipeline: p\nstages:\n  a:\n    use: time/delay\n    with: { for: 1ms }\n" + lines);
}

TEST(Pipeline, IfLostSaysWhetherAStageRunsAgain) {
  EXPECT_EQ(with_if_lost("")->stages[0].if_lost, IfLost::kByStage);
  EXPECT_EQ(with_if_lost("    if_lost: retry\n")->stages[0].if_lost, IfLost::kRetry);
  EXPECT_EQ(with_if_lost("    if_lost: retry\n")->stages[0].retry.attempts, 5);
  EXPECT_EQ(with_if_lost("    if_lost: fail\n")->stages[0].if_lost, IfLost::kFail);
  for (const IfLost known : {IfLost::kByStage, IfLost::kRetry, IfLost::kFail}) {
    const std::string name(if_lost_name(known));
    const auto read = with_if_lost(name.empty() ? "" : "    if_lost: " + name + "\n");
    EXPECT_EQ(read->stages[0].if_lost, known);
  }
}

TEST(Pipeline, AStageThatMayNotRunTwiceHasOneAttemptUnlessItAsksForMore) {
  EXPECT_EQ(with_if_lost("    if_lost: fail\n")->stages[0].retry.attempts, 1);
  EXPECT_EQ(
      with_if_lost("    if_lost: fail\n    retry: { initial: 2s }\n")->stages[0].retry.attempts, 1);
  EXPECT_EQ(
      with_if_lost("    retry: { attempts: 3 }\n    if_lost: fail\n")->stages[0].retry.attempts, 3);
}

TEST(Pipeline, StagesComeAfterWhatTheyReferTo) {
  auto pipeline = parse(R"(
pipeline: p
stages:
  last: { use: json/merge, with: { values: ["${/stages/left}", "${/stages/right/x}"] } }
  right: { use: http/get, with: { url: "${/stages/top/url}" } }
  alone: { use: time/delay, with: { for: 1s } }
  left: { use: http/get, with: { url: "x" }, when: "${/stages/top}" }
  top: { use: time/delay, with: { for: 1s }, after: alone }
)");
  ASSERT_NE(pipeline, nullptr);
  EXPECT_EQ(order(*pipeline), (std::vector<std::string>{"alone", "top", "right", "left", "last"}));
  EXPECT_EQ(pipeline->stages[4].after, (std::vector<int>{2, 3}));
  EXPECT_EQ(pipeline->stages[3].after, std::vector<int>{1});
  // References follow the new order.
  EXPECT_EQ(pipeline->stages[4].with.uses()[0].reference.stage(), 3);
  EXPECT_EQ(pipeline->stages[3].when->stage(), 1);
}

TEST(Pipeline, WithoutAResultTheLastStageIsTheResult) {
  auto one = parse(R"(
pipeline: p
stages:
  b: { use: http/get, with: { url: "${/stages/a}" } }
  a: { use: time/delay, with: { for: 1s } }
)");
  EXPECT_EQ(to_json(one->result.source()), R"("${/stages/b}")");
  EXPECT_EQ(one->result.uses()[0].reference.stage(), 1);
  auto two = parse(R"(
pipeline: p
stages:
  a: { use: time/delay, with: { for: 1s } }
  b: { use: time/delay, with: { for: 1s } }
)");
  EXPECT_EQ(to_json(two->result.source()), R"({"a":"${/stages/a}","b":"${/stages/b}"})");
}

TEST(Pipeline, VersionIsOfTheContentNotOfItsLayout) {
  auto one = parse("pipeline: p\nstages: { a: { use: time/delay, with: { for: 1s } } }\n");
  auto same = parse(
      "# a comment\npipeline: p\nstages:\n  a:\n    use: time/delay\n    with:\n      for: 1s\n");
  auto other = parse("pipeline: p\nstages: { a: { use: time/delay, with: { for: 2s } } }\n");
  EXPECT_EQ(one->version.size(), 12u);
  EXPECT_EQ(one->version, same->version);
  EXPECT_NE(one->version, other->version);
}

TEST(Pipeline, ASingleStageIsAPipeline) {
  auto pipeline = Pipeline::single_stage("http/get@1.0.0");
  ASSERT_TRUE(pipeline.ok());
  const Pipeline& single = **pipeline;
  EXPECT_EQ(single.name, "http/get@1.0.0");
  EXPECT_EQ(single.stages[0].name, "get");
  EXPECT_EQ(single.stages[0].use, "http/get@1.0.0");
  JsonDocument input = *parse_json(R"({"url": "x"})");
  std::vector<const JsonValue*> outputs = {&input};
  EvalContext context{&input, nullptr, 0, outputs};
  EXPECT_EQ(*single.stages[0].with.evaluate_json(context), R"({"url":"x"})");
  EXPECT_EQ(*single.result.evaluate_json(context), R"({"url":"x"})");
  for (std::string use : {"", "http", "/get", "http/", "http/get@", "a b/c", "a/b/c", "a/b@1@2",
                          "../x", "a/\n", "_a/b", "a/-b"}) {
    EXPECT_FALSE(Pipeline::single_stage(use).ok()) << use;
  }
}

TEST(Pipeline, AStageInputMayBeOneReference) {
  auto pipeline = parse(R"(
pipeline: p
stages:
  a: { use: http/get, each: "${/input/requests}", with: "${/item}" }
)");
  EXPECT_EQ(to_json(pipeline->stages[0].with.source()), R"("${/item}")");
}

TEST(Pipeline, AnchorsMaySaveTyping) {
  auto pipeline = parse(R"(
pipeline: p
stages:
  a: { use: time/delay, with: { for: 1s }, retry: &twice { attempts: 2 } }
  b: { use: time/delay, with: { for: 1s }, retry: *twice }
)");
  ASSERT_NE(pipeline, nullptr);
  EXPECT_EQ(pipeline->stages[1].retry.attempts, 2);
}

TEST(Pipeline, WithoutACatalogStagesAreNotChecked) {
  EXPECT_TRUE(parse_pipeline("pipeline: p\nstages: { a: { use: no/where } }", "x", nullptr).ok());
}

TEST(Pipeline, GatherModesHaveTheirNames) {
  EXPECT_EQ(gather_mode_name(GatherMode::kAll), "all");
  EXPECT_EQ(gather_mode_name(GatherMode::kSettled), "settled");
  EXPECT_EQ(gather_mode_name(GatherMode::kFirst), "first");
  EXPECT_EQ(gather_mode_name(GatherMode::kQuorum), "quorum");
}

}  // namespace
}  // namespace fermata

// A pipeline's text, which strangers may send inline: an immutable graph in which every stage comes
// after what it waits for, or mistakes that name their place. What it was read from reads again, as
// the same version, and its templates evaluate to JSON or to a refusal.
#include <string>
#include <vector>

#include "services/config/json.h"
#include "services/pipeline/pipeline.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

namespace {

constexpr std::string_view kValue = R"({"urls":["a","b"],"n":1,"deep":{"list":[{"x":null}]}})";
constexpr size_t kMaxText = 1 << 16;

void evaluate(const Template& text, const EvalContext& context) {
  const absl::StatusOr<std::string> json = text.evaluate_json(context, kMaxText);
  if (json.ok()) {
    FUZZ_CHECK(json->size() <= kMaxText);
    FUZZ_CHECK(parse_json(*json, {.bytes = kMaxText, .depth = 300}).ok());
  } else {
    FUZZ_CHECK(fuzz::readable(json.status()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto pipeline = parse_pipeline(fuzz::text_of(data, size), "f.yaml", nullptr);
  if (!pipeline.ok()) {
    FUZZ_CHECK(pipeline.status().message().substr(0, 7) == "f.yaml:");
    FUZZ_CHECK(fuzz::readable(pipeline.status()));
    return 0;
  }
  const Pipeline& graph = **pipeline;
  for (size_t i = 0; i < graph.stages.size(); ++i) {
    for (const int before : graph.stages[i].after) {
      FUZZ_CHECK(before >= 0 && static_cast<size_t>(before) < i);
    }
    FUZZ_CHECK(graph.stages[i].parallel > 0);
    FUZZ_CHECK(graph.stages[i].retry.attempts > 0);
  }
  const auto again = parse_pipeline(graph.source, "f.yaml", nullptr);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK((*again)->version == graph.version);

  const absl::StatusOr<JsonDocument> value = parse_json(kValue);
  FUZZ_CHECK(value.ok());
  std::vector<const JsonValue*> outputs(graph.stages.size(), &*value);
  EvalContext context;
  context.input = &*value;
  context.item = &*value;
  context.outputs = outputs;
  for (const PipelineStage& stage : graph.stages) evaluate(stage.with, context);
  evaluate(graph.result, context);
  return 0;
}
